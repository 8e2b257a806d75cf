// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"io/ioutil"
	"path/filepath"

	"pluginv2"

	"github.com/golang/protobuf/proto"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// replay answers recorded questions with what a real plugin answered: a replay of bytes, not a plugin.
type replay struct {
	folder string
	calls  []recorded
}

type recorded struct {
	Method        string
	GrpcCode      string
	GrpcMessage   string
	GrpcDetails   []struct{ Metadata map[string]string }
	RequestFile   string
	ResponseFiles []string
}

func newReplay(folder string) (*replay, error) {
	r := &replay{folder: folder}
	text, err := ioutil.ReadFile(filepath.Join(folder, "index.json"))
	if err == nil {
		err = json.Unmarshal(text, &r.calls)
	}
	return r, err
}

// answer finds the recorded call whose question is equal, hands out its answers and ends as it ended.
func (r *replay) answer(method string, question, scratch proto.Message, answer func([]byte) error) error {
	for _, call := range r.calls {
		if call.Method != method {
			continue
		}
		bytes, err := ioutil.ReadFile(filepath.Join(r.folder, call.RequestFile))
		if err != nil {
			return err
		}
		scratch.Reset()
		if err := proto.Unmarshal(bytes, scratch); err != nil {
			return err
		}
		if !proto.Equal(question, scratch) {
			continue
		}
		for _, file := range call.ResponseFiles {
			bytes, err := ioutil.ReadFile(filepath.Join(r.folder, file))
			if err != nil {
				return err
			}
			if err := answer(bytes); err != nil {
				return err
			}
		}
		return call.end()
	}
	return status.Error(codes.NotFound, "this question was not recorded")
}

func (call recorded) end() error {
	names := map[string]codes.Code{"OK": codes.OK, "Unknown": codes.Unknown, "DeadlineExceeded": codes.DeadlineExceeded}
	ending := status.New(names[call.GrpcCode], call.GrpcMessage)
	for _, detail := range call.GrpcDetails {
		with, err := ending.WithDetails(&errdetails.ErrorInfo{Metadata: detail.Metadata})
		if err != nil {
			return err
		}
		ending = with
	}
	return ending.Err()
}

func (r *replay) QueryData(ctx context.Context, in *pluginv2.QueryDataRequest) (*pluginv2.QueryDataResponse, error) {
	out := &pluginv2.QueryDataResponse{}
	return out, r.answer("QueryData", in, &pluginv2.QueryDataRequest{}, func(b []byte) error { return proto.Unmarshal(b, out) })
}

func (r *replay) QueryChunkedData(in *pluginv2.QueryChunkedDataRequest, out pluginv2.Data_QueryChunkedDataServer) error {
	return r.answer("QueryChunkedData", in, &pluginv2.QueryChunkedDataRequest{}, func(b []byte) error {
		chunk := &pluginv2.QueryChunkedDataResponse{}
		if err := proto.Unmarshal(b, chunk); err != nil {
			return err
		}
		return out.Send(chunk)
	})
}

func (r *replay) CheckHealth(ctx context.Context, in *pluginv2.CheckHealthRequest) (*pluginv2.CheckHealthResponse, error) {
	out := &pluginv2.CheckHealthResponse{}
	return out, r.answer("CheckHealth", in, &pluginv2.CheckHealthRequest{}, func(b []byte) error { return proto.Unmarshal(b, out) })
}

func (r *replay) CollectMetrics(ctx context.Context, in *pluginv2.CollectMetricsRequest) (*pluginv2.CollectMetricsResponse, error) {
	out := &pluginv2.CollectMetricsResponse{}
	return out, r.answer("CollectMetrics", in, &pluginv2.CollectMetricsRequest{}, func(b []byte) error { return proto.Unmarshal(b, out) })
}

func (r *replay) CallResource(in *pluginv2.CallResourceRequest, out pluginv2.Resource_CallResourceServer) error {
	return r.answer("CallResource", in, &pluginv2.CallResourceRequest{}, func(b []byte) error {
		part := &pluginv2.CallResourceResponse{}
		if err := proto.Unmarshal(b, part); err != nil {
			return err
		}
		return out.Send(part)
	})
}

func (r *replay) SubscribeStream(ctx context.Context, in *pluginv2.SubscribeStreamRequest) (*pluginv2.SubscribeStreamResponse, error) {
	out := &pluginv2.SubscribeStreamResponse{}
	return out, r.answer("SubscribeStream", in, &pluginv2.SubscribeStreamRequest{}, func(b []byte) error { return proto.Unmarshal(b, out) })
}

func (r *replay) PublishStream(ctx context.Context, in *pluginv2.PublishStreamRequest) (*pluginv2.PublishStreamResponse, error) {
	out := &pluginv2.PublishStreamResponse{}
	return out, r.answer("PublishStream", in, &pluginv2.PublishStreamRequest{}, func(b []byte) error { return proto.Unmarshal(b, out) })
}

func (r *replay) RunStream(in *pluginv2.RunStreamRequest, out pluginv2.Stream_RunStreamServer) error {
	return r.answer("RunStream", in, &pluginv2.RunStreamRequest{}, func(b []byte) error {
		packet := &pluginv2.StreamPacket{}
		if err := proto.Unmarshal(b, packet); err != nil {
			return err
		}
		return out.Send(packet)
	})
}
