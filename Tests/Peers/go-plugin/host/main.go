// SPDX-License-Identifier: Apache-2.0

// A host of hashicorp's go-plugin: what Grafana does, measured for `make bench` beside this server.
//
//	go-host PLUGIN FRAME-FILE…
//
// Prints one JSON object a line: {"name":"query 1 in flight","p50_us":…,"p99_us":…,"per_second":…}.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/ioutil"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"

	"pluginv2"

	hclog "github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

type data struct{ plugin.NetRPCUnsupportedPlugin }

func (data) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error { return nil }

func (data) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, c *grpc.ClientConn) (interface{}, error) {
	return peer{pluginv2.NewDataClient(c), pluginv2.NewStreamClient(c)}, nil
}

type peer struct {
	pluginv2.DataClient
	pluginv2.StreamClient
}

func start(path string, frames []string) (*plugin.Client, peer) {
	command := exec.Command(path)
	command.Env = append(os.Environ(), "GF_PLUGIN_FRAME="+strings.Join(frames, string(filepath.ListSeparator)))
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  plugin.HandshakeConfig{ProtocolVersion: 2, MagicCookieKey: "grafana_plugin_type", MagicCookieValue: "datasource"},
		Plugins:          plugin.PluginSet{"data": &data{}},
		Cmd:              command,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Logger:           hclog.New(&hclog.LoggerOptions{Output: ioutil.Discard}),
	})
	protocol, err := client.Client()
	check(err)
	raw, err := protocol.Dispense("data")
	check(err)
	return client, raw.(peer)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func query(client pluginv2.DataClient, text string) *pluginv2.QueryDataResponse {
	answer, err := client.QueryData(context.Background(), &pluginv2.QueryDataRequest{
		PluginContext: &pluginv2.PluginContext{OrgId: 1, PluginId: "peer", DataSourceInstanceSettings: &pluginv2.DataSourceInstanceSettings{Uid: "u", JsonData: []byte("{}")}},
		Queries: []*pluginv2.DataQuery{{RefId: "A", MaxDataPoints: 100, IntervalMS: 1000, Json: []byte(text),
			TimeRange: &pluginv2.TimeRange{FromEpochMS: 0, ToEpochMS: 3600000}}}})
	check(err)
	return answer
}

func report(name string, samples []time.Duration, elapsed time.Duration) {
	sort.Slice(samples, func(i, j int) bool { return samples[i] < samples[j] })
	at := func(share float64) float64 {
		return float64(samples[int(share*float64(len(samples)-1))].Nanoseconds()) / 1000
	}
	line, _ := json.Marshal(map[string]interface{}{"name": name, "p50_us": at(0.5), "p99_us": at(0.99), "per_second": float64(len(samples)) / elapsed.Seconds()})
	fmt.Println(string(line))
}

func measure(name string, workers, calls int, call func()) {
	samples := make([][]time.Duration, workers)
	var group sync.WaitGroup
	begin := time.Now()
	for w := 0; w < workers; w++ {
		group.Add(1)
		go func(w int) {
			defer group.Done()
			for i := 0; i < calls/workers; i++ {
				at := time.Now()
				call()
				samples[w] = append(samples[w], time.Since(at))
			}
		}(w)
	}
	group.Wait()
	elapsed := time.Since(begin)
	var all []time.Duration
	for _, s := range samples {
		all = append(all, s...)
	}
	report(name, all, elapsed)
}

const packets = 20000

// stream reads so many small packets of one stream.
func stream(client pluginv2.StreamClient) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	in, err := client.RunStream(ctx, &pluginv2.RunStreamRequest{Path: "p", PluginContext: &pluginv2.PluginContext{OrgId: 1}})
	check(err)
	begin := time.Now()
	for i := 0; i < packets; i++ {
		_, err := in.Recv()
		check(err)
	}
	line, _ := json.Marshal(map[string]interface{}{"name": "stream", "per_second": packets / time.Since(begin).Seconds()})
	fmt.Println(string(line))
}

// idle starts so many plugins and says what their processes take; what they share counts in parts.
func idle(path string, count int) {
	bytes := 0
	for i := 0; i < count; i++ {
		client, peer := start(path, nil)
		defer client.Kill()
		query(peer, `{"do":"echo"}`)
	}
	processes, err := filepath.Glob("/proc/[0-9]*/status")
	check(err)
	for _, status := range processes {
		text, err := ioutil.ReadFile(status)
		if err != nil || !strings.Contains(string(text), fmt.Sprintf("\nPPid:\t%d\n", os.Getpid())) {
			continue
		}
		rollup, err := ioutil.ReadFile(filepath.Join(filepath.Dir(status), "smaps_rollup"))
		check(err)
		for _, line := range strings.Split(string(rollup), "\n") {
			var kibibytes int
			if n, _ := fmt.Sscanf(line, "Pss: %d kB", &kibibytes); n == 1 {
				bytes += kibibytes << 10
			}
		}
	}
	line, _ := json.Marshal(map[string]interface{}{"name": "idle plugins", "bytes": bytes})
	fmt.Println(string(line))
}

func main() {
	path, frames := os.Args[1], os.Args[2:]
	client, peer := start(path, frames)
	for i := 0; i < 500; i++ {
		query(peer, `{"do":"echo"}`)
	}
	for _, workers := range []int{1, 4, 16, 64} {
		measure(fmt.Sprintf("query %d in flight", workers), workers, 4000, func() { query(peer, `{"do":"echo"}`) })
	}
	for _, frame := range frames {
		file, _ := json.Marshal(map[string]string{"do": "file", "path": frame})
		measure(filepath.Base(frame), 1, 20, func() { query(peer, string(file)) })
	}
	stream(peer)
	client.Kill()
	idle(path, 20)
	var starts []time.Duration
	begin := time.Now()
	for i := 0; i < 10; i++ {
		at := time.Now()
		client, peer := start(path, nil)
		query(peer, `{"do":"echo"}`)
		starts = append(starts, time.Since(at))
		client.Kill()
	}
	report("cold start", starts, time.Since(begin))
}
