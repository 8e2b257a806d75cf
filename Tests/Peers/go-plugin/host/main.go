// SPDX-License-Identifier: Apache-2.0

// A host of hashicorp's go-plugin: what Grafana does, measured for `make bench` beside this server.
//
//	go-host PLUGIN FRAME-FILE
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
	"sort"
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
	return pluginv2.NewDataClient(c), nil
}

func start(path, frame string) (*plugin.Client, pluginv2.DataClient) {
	command := exec.Command(path)
	command.Env = append(os.Environ(), "GF_PLUGIN_FRAME="+frame)
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
	return client, raw.(pluginv2.DataClient)
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

func main() {
	path, frame := os.Args[1], os.Args[2]
	client, peer := start(path, frame)
	for i := 0; i < 500; i++ {
		query(peer, `{"do":"echo"}`)
	}
	for _, workers := range []int{1, 4, 16, 64} {
		measure(fmt.Sprintf("query %d in flight", workers), workers, 4000, func() { query(peer, `{"do":"echo"}`) })
	}
	file, _ := json.Marshal(map[string]string{"do": "file", "path": frame})
	measure("1 M rows x 2", 1, 20, func() { query(peer, string(file)) })
	client.Kill()
	measure("cold start", 1, 10, func() {
		client, peer := start(path, frame)
		query(peer, `{"do":"echo"}`)
		client.Kill()
	})
}
