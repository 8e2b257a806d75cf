// SPDX-License-Identifier: Apache-2.0

// A host of hashicorp's go-plugin that does what a file says, for tests of plugins that others serve.
//
//	go-plugin-driver [-mtls] STEPS PROGRAM [ARGUMENT…]
//
// STEPS has one JSON object a line. Each is answered with one JSON object a line:
//
//	{"call":"/pluginv2.Data/QueryData","message":{…}}   {"answers":[{…}],"code":0}; messages are protobuf's JSON
//	{"do":"ping"}, "address", "pid", "log", "kill", "hang", "garbage"
//	{"do":"measure","calls":1000,"workers":4,"call":…}  {"p50_us":…,"p99_us":…,"per_second":…}
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sort"
	"sync"
	"time"

	"pluginv2"

	"github.com/golang/protobuf/jsonpb"
	"github.com/golang/protobuf/proto"
	hclog "github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

type step struct {
	Do      string          `json:"do"`
	Call    string          `json:"call"`
	Message json.RawMessage `json:"message"`
	// Stops after so many answers and cancels the call; 0: reads them all.
	Take int `json:"take"`
	// Cancels the call, or lets its deadline pass, after so long.
	CancelMillis   int `json:"cancelMillis"`
	DeadlineMillis int `json:"deadlineMillis"`
	// Whether only the bytes of each answer are told.
	Sizes bool `json:"sizes"`
	// Metadata of the call.
	Metadata map[string]string `json:"metadata"`
	// Bytes that a field "body" or "data" of the message gets, of zeros.
	Body    int `json:"body"`
	Calls   int `json:"calls"`
	Workers int `json:"workers"`
}

type result struct {
	Answers   []json.RawMessage `json:"answers,omitempty"`
	Sizes     []int             `json:"sizes,omitempty"`
	Code      int               `json:"code"`
	Text      string            `json:"text,omitempty"`
	Source    string            `json:"source,omitempty"`
	Lines     []string          `json:"lines,omitempty"`
	Number    int               `json:"number,omitempty"`
	Millis    int64             `json:"millis"`
	P50       float64           `json:"p50_us,omitempty"`
	P99       float64           `json:"p99_us,omitempty"`
	PerSecond float64           `json:"per_second,omitempty"`
}

// messages makes the question and the answer of each method.
var messages = map[string]func() (proto.Message, proto.Message){
	"/pluginv2.Data/QueryData": func() (proto.Message, proto.Message) {
		return &pluginv2.QueryDataRequest{}, &pluginv2.QueryDataResponse{}
	},
	"/pluginv2.Data/QueryChunkedData": func() (proto.Message, proto.Message) {
		return &pluginv2.QueryChunkedDataRequest{}, &pluginv2.QueryChunkedDataResponse{}
	},
	"/pluginv2.Diagnostics/CheckHealth": func() (proto.Message, proto.Message) {
		return &pluginv2.CheckHealthRequest{}, &pluginv2.CheckHealthResponse{}
	},
	"/pluginv2.Diagnostics/CollectMetrics": func() (proto.Message, proto.Message) {
		return &pluginv2.CollectMetricsRequest{}, &pluginv2.CollectMetricsResponse{}
	},
	"/pluginv2.Resource/CallResource": func() (proto.Message, proto.Message) {
		return &pluginv2.CallResourceRequest{}, &pluginv2.CallResourceResponse{}
	},
	"/pluginv2.Stream/SubscribeStream": func() (proto.Message, proto.Message) {
		return &pluginv2.SubscribeStreamRequest{}, &pluginv2.SubscribeStreamResponse{}
	},
	"/pluginv2.Stream/PublishStream": func() (proto.Message, proto.Message) {
		return &pluginv2.PublishStreamRequest{}, &pluginv2.PublishStreamResponse{}
	},
	"/pluginv2.Stream/RunStream": func() (proto.Message, proto.Message) {
		return &pluginv2.RunStreamRequest{}, &pluginv2.StreamPacket{}
	},
	"/pluginv2.AdmissionControl/ValidateAdmission": func() (proto.Message, proto.Message) {
		return &pluginv2.AdmissionRequest{}, &pluginv2.ValidationResponse{}
	},
	"/pluginv2.ResourceConversion/ConvertObjects": func() (proto.Message, proto.Message) {
		return &pluginv2.ConversionRequest{}, &pluginv2.ConversionResponse{}
	},
}

// raw passes a message's bytes as they are.
type raw struct{ bytes []byte }

func (r *raw) Reset()                   { r.bytes = nil }
func (r *raw) String() string           { return fmt.Sprint(len(r.bytes)) }
func (r *raw) ProtoMessage()            {}
func (r *raw) Marshal() ([]byte, error) { return r.bytes, nil }

func call(conn *grpc.ClientConn, s step) (out result) {
	question, answer := messages[s.Call]()
	if err := jsonpb.Unmarshal(bytes.NewReader(s.Message), question); err != nil {
		return result{Code: -1, Text: err.Error()}
	}
	switch q := question.(type) {
	case *pluginv2.CallResourceRequest:
		if s.Body > 0 {
			q.Body = make([]byte, s.Body)
		}
	}
	return exchange(conn, s, question, answer)
}

func exchange(conn *grpc.ClientConn, s step, question, answer proto.Message) (out result) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if s.DeadlineMillis > 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(s.DeadlineMillis)*time.Millisecond)
		defer cancel()
	}
	if s.CancelMillis > 0 {
		time.AfterFunc(time.Duration(s.CancelMillis)*time.Millisecond, cancel)
	}
	ctx = metadata.NewOutgoingContext(ctx, metadata.New(s.Metadata))
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, s.Call)
	if err == nil {
		err = stream.SendMsg(question)
	}
	if err == nil {
		err = stream.CloseSend()
	}
	for err == nil {
		answer.Reset()
		if err = stream.RecvMsg(answer); err != nil {
			break
		}
		if s.Sizes {
			out.Sizes = append(out.Sizes, proto.Size(answer))
		} else {
			text, _ := (&jsonpb.Marshaler{EmitDefaults: true}).MarshalToString(answer)
			out.Answers = append(out.Answers, json.RawMessage(text))
		}
		if s.Take > 0 && len(out.Answers)+len(out.Sizes) == s.Take {
			cancel()
		}
	}
	if err != nil && err.Error() != "EOF" {
		told := status.Convert(err)
		out.Code, out.Text = int(told.Code()), told.Message()
		for _, detail := range told.Details() {
			if info, ok := detail.(*errdetails.ErrorInfo); ok {
				out.Source = info.Metadata["errorSource"]
			}
		}
	}
	return out
}

func measure(conn *grpc.ClientConn, s step) result {
	question, _ := messages[s.Call]()
	if err := jsonpb.Unmarshal(bytes.NewReader(s.Message), question); err != nil {
		return result{Code: -1, Text: err.Error()}
	}
	samples := make([][]time.Duration, s.Workers)
	var group sync.WaitGroup
	begin := time.Now()
	for w := range samples {
		group.Add(1)
		go func(w int) {
			defer group.Done()
			_, answer := messages[s.Call]()
			for i := 0; i < s.Calls/s.Workers; i++ {
				at := time.Now()
				if err := conn.Invoke(context.Background(), s.Call, question, answer); err != nil {
					return
				}
				samples[w] = append(samples[w], time.Since(at))
			}
		}(w)
	}
	group.Wait()
	elapsed := time.Since(begin)
	var all []time.Duration
	for _, some := range samples {
		all = append(all, some...)
	}
	if len(all) == 0 {
		return result{Code: -1, Text: "no call was answered"}
	}
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	at := func(share float64) float64 {
		return float64(all[int(share*float64(len(all)-1))].Nanoseconds()) / 1000
	}
	return result{P50: at(0.5), P99: at(0.99), PerSecond: float64(len(all)) / elapsed.Seconds(), Number: len(all)}
}

type data struct{ plugin.NetRPCUnsupportedPlugin }

func (data) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error { return nil }

func (data) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, c *grpc.ClientConn) (interface{}, error) {
	return c, nil
}

type host struct {
	client *plugin.Client
	conn   *grpc.ClientConn
	log    *lines
	pid    int
}

// lines keeps what is logged.
type lines struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (l *lines) Write(bytes []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(bytes)
}

func (l *lines) all() (all []string) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	scanner := bufio.NewScanner(bytes.NewReader(l.text.Bytes()))
	for scanner.Scan() {
		all = append(all, scanner.Text())
	}
	return all
}

func start(mtls bool, arguments []string) (*host, error) {
	log := &lines{}
	command := exec.Command(arguments[0], arguments[1:]...)
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  plugin.HandshakeConfig{ProtocolVersion: 2, MagicCookieKey: "grafana_plugin_type", MagicCookieValue: "datasource"},
		Plugins:          plugin.PluginSet{"data": &data{}},
		Cmd:              command,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		AutoMTLS:         mtls,
		Logger:           hclog.New(&hclog.LoggerOptions{Output: log, JSONFormat: true, Level: hclog.Trace, Name: "host"}),
	})
	h := &host{client: client, log: log}
	protocol, err := client.Client()
	if err != nil {
		client.Kill()
		return h, err
	}
	raw, err := protocol.Dispense("data")
	if err != nil {
		client.Kill()
		return h, err
	}
	h.conn, h.pid = raw.(*grpc.ClientConn), command.Process.Pid
	return h, nil
}

func (h *host) do(s step) result {
	switch s.Do {
	case "":
		return call(h.conn, s)
	case "measure":
		return measure(h.conn, s)
	case "ping":
		protocol, err := h.client.Client()
		if err == nil {
			err = protocol.Ping()
		}
		if err != nil {
			return result{Code: -1, Text: err.Error()}
		}
		return result{}
	case "pid":
		return result{Number: h.pid}
	case "address":
		return result{Text: h.client.ReattachConfig().Addr.String()}
	case "log":
		return result{Lines: h.log.all()}
	case "garbage":
		// Bytes that are no message of any kind, as a question.
		_, answer := messages[s.Call]()
		return exchange(h.conn, s, &raw{bytes.Repeat([]byte{0xff}, 64)}, answer)
	case "noise":
		// Bytes that are no HTTP/2, on a connection of their own.
		address := h.client.ReattachConfig().Addr
		other, err := net.Dial(address.Network(), address.String())
		if err != nil {
			return result{Code: -1, Text: err.Error()}
		}
		defer other.Close()
		_ = other.SetDeadline(time.Now().Add(20 * time.Second))
		_, _ = other.Write(bytes.Repeat([]byte("\x00\xff\x10garbage"), 10000))
		for err == nil {
			_, err = other.Read(make([]byte, 65536))
		}
		return result{Text: err.Error()}
	case "kill":
		h.client.Kill()
		if !h.client.Exited() {
			return result{Code: -1, Text: "the plugin still runs"}
		}
		return result{Lines: h.log.all()}
	case "hang":
		select {}
	}
	return result{Code: -1, Text: "no such step: " + s.Do}
}

func main() {
	arguments := os.Args[1:]
	mtls := arguments[0] == "-mtls"
	if mtls {
		arguments = arguments[1:]
	}
	out := json.NewEncoder(os.Stdout)
	file, err := os.Open(arguments[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	begin := time.Now()
	h, err := start(mtls, arguments[1:])
	if err != nil {
		_ = out.Encode(result{Code: -1, Text: err.Error(), Lines: h.log.all()})
		os.Exit(2)
	}
	_ = out.Encode(result{Number: h.pid, Millis: time.Since(begin).Milliseconds()})
	steps := bufio.NewScanner(file)
	steps.Buffer(nil, 64<<20)
	for steps.Scan() {
		var s step
		if err := json.Unmarshal(steps.Bytes(), &s); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		at := time.Now()
		r := h.do(s)
		r.Millis = time.Since(at).Milliseconds()
		_ = out.Encode(r)
	}
	h.client.Kill()
}
