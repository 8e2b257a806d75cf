// SPDX-License-Identifier: Apache-2.0

// A data source as a program of its own, served by hashicorp's go-plugin: the peer of the tests and of `make bench`.
//
// Its queries name what to do: {"do":"echo"}, "file" (a frame from a file), "error", "whole", "sleep", "spin", "crash", "garbage".
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/ioutil"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"pluginv2"

	hclog "github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var logger = hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: os.Stderr, JSONFormat: true})

// command is what a query asks for.
type command struct {
	Do     string `json:"do"`
	Path   string `json:"path"`
	Then   string `json:"then"` // the file of the chunks after the first
	Count  int    `json:"count"`
	Millis int    `json:"millis"`
}

type server struct{ files map[string][]byte }

func (s *server) file(path string) ([]byte, error) {
	if bytes, ok := s.files[path]; ok {
		return bytes, nil
	}
	return ioutil.ReadFile(path)
}

func (s *server) QueryData(ctx context.Context, in *pluginv2.QueryDataRequest) (*pluginv2.QueryDataResponse, error) {
	out := &pluginv2.QueryDataResponse{Responses: map[string]*pluginv2.DataResponse{}}
	for _, query := range in.Queries {
		var c command
		if err := json.Unmarshal(query.Json, &c); err != nil {
			out.Responses[query.RefId] = &pluginv2.DataResponse{Error: err.Error(), Status: 400}
			continue
		}
		answer := &pluginv2.DataResponse{Status: 200}
		switch c.Do {
		case "file":
			bytes, err := s.file(c.Path)
			if err != nil {
				return nil, err
			}
			for i := 0; i < c.Count || i == 0; i++ {
				answer.Frames = append(answer.Frames, bytes)
			}
		case "context":
			text, _ := json.Marshal(in.PluginContext)
			headers, _ := json.Marshal(in.Headers)
			answer.Error, answer.Status = string(text)+string(headers), 418
			answer.ErrorSource = "downstream"
		case "environment":
			variables := os.Environ()
			sort.Strings(variables)
			answer.Error, answer.Status = strings.Join(variables, "\n"), 418
		case "whole":
			return nil, status.Error(codes.Unknown, "everything failed")
		case "sleep":
			select {
			case <-time.After(time.Duration(c.Millis) * time.Millisecond):
			case <-ctx.Done():
				logger.Info("call cancelled", "reason", ctx.Err().Error())
				return nil, ctx.Err()
			}
		case "spin":
			if _, err := os.Stat(c.Path); err == nil {
				break // only the first time, when a file is named
			}
			_ = ioutil.WriteFile(c.Path, nil, 0o600)
			for i := 1; i < c.Count; i++ {
				go func() {
					for {
					}
				}()
			}
			for {
			}
		case "crash":
			go panic("asked to crash")
			select {}
		case "bad-frame":
			answer.Frames = [][]byte{[]byte("this is no Arrow file")}
		}
		out.Responses[query.RefId] = answer
	}
	return out, nil
}

func (s *server) QueryChunkedData(in *pluginv2.QueryChunkedDataRequest, out pluginv2.Data_QueryChunkedDataServer) error {
	for _, query := range in.Queries {
		var c command
		_ = json.Unmarshal(query.Json, &c)
		bytes, err := s.file(c.Path)
		if err != nil {
			return err
		}
		for i := 0; i < c.Count; i++ {
			if i == 1 && c.Then != "" {
				if bytes, err = s.file(c.Then); err != nil {
					return err
				}
			}
			if err := out.Send(&pluginv2.QueryChunkedDataResponse{RefId: query.RefId, FrameId: "f", Frame: bytes, Status: 200}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *server) CheckHealth(ctx context.Context, in *pluginv2.CheckHealthRequest) (*pluginv2.CheckHealthResponse, error) {
	secret := in.GetPluginContext().GetDataSourceInstanceSettings().GetDecryptedSecureJsonData()["apiKey"]
	if secret == "" {
		return &pluginv2.CheckHealthResponse{Status: pluginv2.CheckHealthResponse_ERROR, Message: "API key is missing"}, nil
	}
	return &pluginv2.CheckHealthResponse{
		Status: pluginv2.CheckHealthResponse_OK, Message: "key of " + fmt.Sprint(len(secret)) + " characters",
		JsonDetails: []byte(`{"pid":` + fmt.Sprint(os.Getpid()) + `}`)}, nil
}

func (s *server) CollectMetrics(ctx context.Context, in *pluginv2.CollectMetricsRequest) (*pluginv2.CollectMetricsResponse, error) {
	return &pluginv2.CollectMetricsResponse{
		Metrics: &pluginv2.CollectMetricsResponse_Payload{Prometheus: []byte("peer_calls_total 1\n")}}, nil
}

func (s *server) CallResource(in *pluginv2.CallResourceRequest, out pluginv2.Resource_CallResourceServer) error {
	head := &pluginv2.CallResourceResponse{
		Code:    200,
		Headers: map[string]*pluginv2.StringList{"Content-Type": {Values: []string{"text/plain"}}, "X-Seen": {Values: in.Headers["X-Test"].GetValues()}},
		Body:    []byte(in.Method + " " + in.Url + "\n")}
	if in.Path == "missing" {
		head.Code = 404
	}
	if err := out.Send(head); err != nil {
		return err
	}
	for i := 0; i < 3; i++ {
		if err := out.Send(&pluginv2.CallResourceResponse{Body: in.Body}); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) SubscribeStream(ctx context.Context, in *pluginv2.SubscribeStreamRequest) (*pluginv2.SubscribeStreamResponse, error) {
	if in.Path == "denied" {
		return &pluginv2.SubscribeStreamResponse{Status: pluginv2.SubscribeStreamResponse_PERMISSION_DENIED}, nil
	}
	return &pluginv2.SubscribeStreamResponse{Data: in.Data}, nil
}

func (s *server) PublishStream(ctx context.Context, in *pluginv2.PublishStreamRequest) (*pluginv2.PublishStreamResponse, error) {
	return &pluginv2.PublishStreamResponse{Data: in.Data}, nil
}

func (s *server) RunStream(in *pluginv2.RunStreamRequest, out pluginv2.Stream_RunStreamServer) error {
	for i := 0; out.Context().Err() == nil; i++ {
		if err := out.Send(&pluginv2.StreamPacket{Data: []byte(fmt.Sprintf(`{"data":{"values":[[%d]]}}`, i))}); err != nil {
			return err
		}
	}
	return nil
}

// backend is what answers: the peer, or a replay of recorded calls.
type backend interface {
	pluginv2.DataServer
	pluginv2.DiagnosticsServer
	pluginv2.ResourceServer
	pluginv2.StreamServer
}

// services is one plugin of go-plugin that registers all services of Grafana's protocol.
type services struct {
	plugin.NetRPCUnsupportedPlugin
	server backend
}

func (p *services) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	pluginv2.RegisterDataServer(s, p.server)
	pluginv2.RegisterDiagnosticsServer(s, p.server)
	pluginv2.RegisterResourceServer(s, p.server)
	pluginv2.RegisterStreamServer(s, p.server)
	return nil
}

func (p *services) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (interface{}, error) {
	return nil, fmt.Errorf("this is a plugin, not a host")
}

func main() {
	s := &server{files: map[string][]byte{}}
	for _, path := range filepath.SplitList(os.Getenv("GF_PLUGIN_FRAME")) {
		bytes, err := ioutil.ReadFile(path)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		s.files[path] = bytes
	}
	var served backend = s
	if folder := os.Getenv("GF_PLUGIN_REPLAY"); folder != "" {
		r, err := newReplay(folder)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		served = r
	}
	logger.Debug("Serving plugin", "pid", os.Getpid())
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{ProtocolVersion: 2, MagicCookieKey: "grafana_plugin_type", MagicCookieValue: "datasource"},
		Plugins:         plugin.PluginSet{"data": &services{server: served}},
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(options, grpc.MaxRecvMsgSize(16<<20), grpc.MaxSendMsgSize(1<<31-1))...)
		},
	})
}
