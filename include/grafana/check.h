/* SPDX-License-Identifier: Apache-2.0
 *
 * grafana/check.h: asserts every size and offset of the plugin ABI on 64-bit targets. Include it once.
 * Made by abi/generate.py; do not edit. Its Swift twin is Tests/PluginABITests/LayoutTests.swift. */
#ifndef GRAFANA_CHECK_H
#define GRAFANA_CHECK_H

#include <stddef.h>

#include "arrow.h"
#include "plugin.h"
#include "ext/datasource.h"
#include "ext/describe.h"
#include "ext/health.h"
#include "ext/http.h"
#include "ext/json.h"
#include "ext/kv.h"
#include "ext/metrics.h"
#include "ext/resource.h"
#include "ext/secrets.h"
#include "ext/settings.h"
#include "ext/state.h"
#include "ext/stream.h"
#include "ext/timer.h"
#include "ext/websocket.h"

#if defined(__cplusplus)
#define GF_CHECK(condition) static_assert(condition, #condition)
#else
#define GF_CHECK(condition) _Static_assert(condition, #condition)
#endif

#if UINTPTR_MAX == UINT64_MAX

/* grafana/arrow.h */
GF_CHECK(sizeof(struct ArrowSchema) == 72);
GF_CHECK(offsetof(struct ArrowSchema, format) == 0);
GF_CHECK(offsetof(struct ArrowSchema, name) == 8);
GF_CHECK(offsetof(struct ArrowSchema, metadata) == 16);
GF_CHECK(offsetof(struct ArrowSchema, flags) == 24);
GF_CHECK(offsetof(struct ArrowSchema, n_children) == 32);
GF_CHECK(offsetof(struct ArrowSchema, children) == 40);
GF_CHECK(offsetof(struct ArrowSchema, dictionary) == 48);
GF_CHECK(offsetof(struct ArrowSchema, release) == 56);
GF_CHECK(offsetof(struct ArrowSchema, private_data) == 64);
GF_CHECK(sizeof(struct ArrowArray) == 80);
GF_CHECK(offsetof(struct ArrowArray, length) == 0);
GF_CHECK(offsetof(struct ArrowArray, null_count) == 8);
GF_CHECK(offsetof(struct ArrowArray, offset) == 16);
GF_CHECK(offsetof(struct ArrowArray, n_buffers) == 24);
GF_CHECK(offsetof(struct ArrowArray, n_children) == 32);
GF_CHECK(offsetof(struct ArrowArray, buffers) == 40);
GF_CHECK(offsetof(struct ArrowArray, children) == 48);
GF_CHECK(offsetof(struct ArrowArray, dictionary) == 56);
GF_CHECK(offsetof(struct ArrowArray, release) == 64);
GF_CHECK(offsetof(struct ArrowArray, private_data) == 72);
GF_CHECK(sizeof(struct ArrowArrayStream) == 40);
GF_CHECK(offsetof(struct ArrowArrayStream, get_schema) == 0);
GF_CHECK(offsetof(struct ArrowArrayStream, get_next) == 8);
GF_CHECK(offsetof(struct ArrowArrayStream, get_last_error) == 16);
GF_CHECK(offsetof(struct ArrowArrayStream, release) == 24);
GF_CHECK(offsetof(struct ArrowArrayStream, private_data) == 32);

/* grafana/plugin.h */
GF_CHECK(sizeof(gf_str_t) == 16);
GF_CHECK(offsetof(gf_str_t, data) == 0);
GF_CHECK(offsetof(gf_str_t, length) == 8);
GF_CHECK(sizeof(gf_bytes_t) == 16);
GF_CHECK(offsetof(gf_bytes_t, data) == 0);
GF_CHECK(offsetof(gf_bytes_t, length) == 8);
GF_CHECK(sizeof(gf_value_t) == 24);
GF_CHECK(offsetof(gf_value_t, type) == 0);
GF_CHECK(offsetof(gf_value_t, reserved) == 4);
GF_CHECK(offsetof(gf_value_t, as) == 8);
GF_CHECK(sizeof(gf_field_t) == 40);
GF_CHECK(offsetof(gf_field_t, key) == 0);
GF_CHECK(offsetof(gf_field_t, value) == 16);
GF_CHECK(sizeof(gf_pair_t) == 32);
GF_CHECK(offsetof(gf_pair_t, key) == 0);
GF_CHECK(offsetof(gf_pair_t, value) == 16);
GF_CHECK(sizeof(gf_buffer_t) == 24);
GF_CHECK(offsetof(gf_buffer_t, data) == 0);
GF_CHECK(offsetof(gf_buffer_t, capacity) == 8);
GF_CHECK(offsetof(gf_buffer_t, token) == 16);
GF_CHECK(sizeof(gf_error_t) == 88);
GF_CHECK(offsetof(gf_error_t, struct_size) == 0);
GF_CHECK(offsetof(gf_error_t, source) == 4);
GF_CHECK(offsetof(gf_error_t, code) == 8);
GF_CHECK(offsetof(gf_error_t, http_status) == 12);
GF_CHECK(offsetof(gf_error_t, retry_after) == 16);
GF_CHECK(offsetof(gf_error_t, ref_id) == 24);
GF_CHECK(offsetof(gf_error_t, message) == 40);
GF_CHECK(offsetof(gf_error_t, hint) == 56);
GF_CHECK(offsetof(gf_error_t, details) == 72);
GF_CHECK(sizeof(gf_extension_t) == 8);
GF_CHECK(offsetof(gf_extension_t, struct_size) == 0);
GF_CHECK(offsetof(gf_extension_t, reserved) == 4);
GF_CHECK(sizeof(gf_instance_config_t) == 168);
GF_CHECK(offsetof(gf_instance_config_t, struct_size) == 0);
GF_CHECK(offsetof(gf_instance_config_t, basic_auth) == 4);
GF_CHECK(offsetof(gf_instance_config_t, handle) == 8);
GF_CHECK(offsetof(gf_instance_config_t, id) == 16);
GF_CHECK(offsetof(gf_instance_config_t, org_id) == 24);
GF_CHECK(offsetof(gf_instance_config_t, updated) == 32);
GF_CHECK(offsetof(gf_instance_config_t, uid) == 40);
GF_CHECK(offsetof(gf_instance_config_t, name) == 56);
GF_CHECK(offsetof(gf_instance_config_t, plugin_id) == 72);
GF_CHECK(offsetof(gf_instance_config_t, url) == 88);
GF_CHECK(offsetof(gf_instance_config_t, user) == 104);
GF_CHECK(offsetof(gf_instance_config_t, database) == 120);
GF_CHECK(offsetof(gf_instance_config_t, basic_auth_user) == 136);
GF_CHECK(offsetof(gf_instance_config_t, json_data) == 152);
GF_CHECK(sizeof(gf_library_api_t) == 32);
GF_CHECK(offsetof(gf_library_api_t, struct_size) == 0);
GF_CHECK(offsetof(gf_library_api_t, reserved) == 4);
GF_CHECK(offsetof(gf_library_api_t, open) == 8);
GF_CHECK(offsetof(gf_library_api_t, close) == 16);
GF_CHECK(offsetof(gf_library_api_t, get_extension) == 24);
GF_CHECK(sizeof(gf_instance_api_t) == 40);
GF_CHECK(offsetof(gf_instance_api_t, struct_size) == 0);
GF_CHECK(offsetof(gf_instance_api_t, reserved) == 4);
GF_CHECK(offsetof(gf_instance_api_t, create) == 8);
GF_CHECK(offsetof(gf_instance_api_t, update) == 16);
GF_CHECK(offsetof(gf_instance_api_t, drain) == 24);
GF_CHECK(offsetof(gf_instance_api_t, destroy) == 32);
GF_CHECK(sizeof(gf_call_api_t) == 40);
GF_CHECK(offsetof(gf_call_api_t, struct_size) == 0);
GF_CHECK(offsetof(gf_call_api_t, reserved) == 4);
GF_CHECK(offsetof(gf_call_api_t, start) == 8);
GF_CHECK(offsetof(gf_call_api_t, cancel) == 16);
GF_CHECK(offsetof(gf_call_api_t, resume) == 24);
GF_CHECK(offsetof(gf_call_api_t, release) == 32);
GF_CHECK(sizeof(gf_plugin_desc_t) == 96);
GF_CHECK(offsetof(gf_plugin_desc_t, struct_size) == 0);
GF_CHECK(offsetof(gf_plugin_desc_t, kinds) == 4);
GF_CHECK(offsetof(gf_plugin_desc_t, id) == 8);
GF_CHECK(offsetof(gf_plugin_desc_t, version) == 24);
GF_CHECK(offsetof(gf_plugin_desc_t, abi_built) == 40);
GF_CHECK(offsetof(gf_plugin_desc_t, abi_needed) == 44);
GF_CHECK(offsetof(gf_plugin_desc_t, capabilities) == 48);
GF_CHECK(offsetof(gf_plugin_desc_t, concurrency) == 52);
GF_CHECK(offsetof(gf_plugin_desc_t, max_parallel) == 56);
GF_CHECK(offsetof(gf_plugin_desc_t, reserved) == 60);
GF_CHECK(offsetof(gf_plugin_desc_t, library) == 64);
GF_CHECK(offsetof(gf_plugin_desc_t, instance) == 72);
GF_CHECK(offsetof(gf_plugin_desc_t, call) == 80);
GF_CHECK(offsetof(gf_plugin_desc_t, context) == 88);
GF_CHECK(sizeof(gf_host_info_t) == 56);
GF_CHECK(offsetof(gf_host_info_t, struct_size) == 0);
GF_CHECK(offsetof(gf_host_info_t, abi_minor) == 4);
GF_CHECK(offsetof(gf_host_info_t, level) == 8);
GF_CHECK(offsetof(gf_host_info_t, reserved) == 12);
GF_CHECK(offsetof(gf_host_info_t, name) == 16);
GF_CHECK(offsetof(gf_host_info_t, version) == 32);
GF_CHECK(offsetof(gf_host_info_t, has_extension) == 48);
GF_CHECK(sizeof(gf_host_core_t) == 56);
GF_CHECK(offsetof(gf_host_core_t, struct_size) == 0);
GF_CHECK(offsetof(gf_host_core_t, reserved) == 4);
GF_CHECK(offsetof(gf_host_core_t, log) == 8);
GF_CHECK(offsetof(gf_host_core_t, error_set) == 16);
GF_CHECK(offsetof(gf_host_core_t, now) == 24);
GF_CHECK(offsetof(gf_host_core_t, get_extension) == 32);
GF_CHECK(offsetof(gf_host_core_t, buffer_alloc) == 40);
GF_CHECK(offsetof(gf_host_core_t, buffer_release) == 48);
GF_CHECK(sizeof(gf_principal_t) == 80);
GF_CHECK(offsetof(gf_principal_t, struct_size) == 0);
GF_CHECK(offsetof(gf_principal_t, is_server) == 4);
GF_CHECK(offsetof(gf_principal_t, org_id) == 8);
GF_CHECK(offsetof(gf_principal_t, login) == 16);
GF_CHECK(offsetof(gf_principal_t, name) == 32);
GF_CHECK(offsetof(gf_principal_t, email) == 48);
GF_CHECK(offsetof(gf_principal_t, role) == 64);
GF_CHECK(sizeof(gf_call_host_t) == 80);
GF_CHECK(offsetof(gf_call_host_t, struct_size) == 0);
GF_CHECK(offsetof(gf_call_host_t, reserved) == 4);
GF_CHECK(offsetof(gf_call_host_t, is_cancelled) == 8);
GF_CHECK(offsetof(gf_call_host_t, deadline) == 16);
GF_CHECK(offsetof(gf_call_host_t, budget_left) == 24);
GF_CHECK(offsetof(gf_call_host_t, principal) == 32);
GF_CHECK(offsetof(gf_call_host_t, trace_context) == 40);
GF_CHECK(offsetof(gf_call_host_t, locale) == 48);
GF_CHECK(offsetof(gf_call_host_t, header_get) == 56);
GF_CHECK(offsetof(gf_call_host_t, state_set) == 64);
GF_CHECK(offsetof(gf_call_host_t, read) == 72);
GF_CHECK(sizeof(gf_notice_t) == 56);
GF_CHECK(offsetof(gf_notice_t, struct_size) == 0);
GF_CHECK(offsetof(gf_notice_t, severity) == 4);
GF_CHECK(offsetof(gf_notice_t, ref_id) == 8);
GF_CHECK(offsetof(gf_notice_t, text) == 24);
GF_CHECK(offsetof(gf_notice_t, link) == 40);
GF_CHECK(sizeof(gf_head_t) == 40);
GF_CHECK(offsetof(gf_head_t, struct_size) == 0);
GF_CHECK(offsetof(gf_head_t, status) == 4);
GF_CHECK(offsetof(gf_head_t, message) == 8);
GF_CHECK(offsetof(gf_head_t, headers) == 24);
GF_CHECK(offsetof(gf_head_t, header_count) == 32);
GF_CHECK(offsetof(gf_head_t, reserved) == 36);
GF_CHECK(sizeof(gf_sink_t) == 80);
GF_CHECK(offsetof(gf_sink_t, struct_size) == 0);
GF_CHECK(offsetof(gf_sink_t, reserved) == 4);
GF_CHECK(offsetof(gf_sink_t, schema) == 8);
GF_CHECK(offsetof(gf_sink_t, batch) == 16);
GF_CHECK(offsetof(gf_sink_t, bytes) == 24);
GF_CHECK(offsetof(gf_sink_t, buffer) == 32);
GF_CHECK(offsetof(gf_sink_t, head) == 40);
GF_CHECK(offsetof(gf_sink_t, notice) == 48);
GF_CHECK(offsetof(gf_sink_t, progress) == 56);
GF_CHECK(offsetof(gf_sink_t, wait_ready) == 64);
GF_CHECK(offsetof(gf_sink_t, complete) == 72);
GF_CHECK(sizeof(gf_host_t) == 40);
GF_CHECK(offsetof(gf_host_t, struct_size) == 0);
GF_CHECK(offsetof(gf_host_t, abi_minor) == 4);
GF_CHECK(offsetof(gf_host_t, context) == 8);
GF_CHECK(offsetof(gf_host_t, core) == 16);
GF_CHECK(offsetof(gf_host_t, call) == 24);
GF_CHECK(offsetof(gf_host_t, sink) == 32);

/* grafana/ext/datasource.h */
GF_CHECK(sizeof(gf_query_t) == 96);
GF_CHECK(offsetof(gf_query_t, struct_size) == 0);
GF_CHECK(offsetof(gf_query_t, reserved) == 4);
GF_CHECK(offsetof(gf_query_t, ref_id) == 8);
GF_CHECK(offsetof(gf_query_t, query_type) == 24);
GF_CHECK(offsetof(gf_query_t, json) == 40);
GF_CHECK(offsetof(gf_query_t, from) == 56);
GF_CHECK(offsetof(gf_query_t, to) == 64);
GF_CHECK(offsetof(gf_query_t, interval) == 72);
GF_CHECK(offsetof(gf_query_t, max_data_points) == 80);
GF_CHECK(offsetof(gf_query_t, max_rows) == 88);
GF_CHECK(sizeof(gf_query_request_t) == 16);
GF_CHECK(offsetof(gf_query_request_t, struct_size) == 0);
GF_CHECK(offsetof(gf_query_request_t, query_count) == 4);
GF_CHECK(offsetof(gf_query_request_t, queries) == 8);
GF_CHECK(sizeof(gf_datasource_ext_t) == 8);
GF_CHECK(offsetof(gf_datasource_ext_t, struct_size) == 0);
GF_CHECK(offsetof(gf_datasource_ext_t, reserved) == 4);

/* grafana/ext/describe.h */
GF_CHECK(sizeof(gf_describe_ext_t) == 24);
GF_CHECK(offsetof(gf_describe_ext_t, struct_size) == 0);
GF_CHECK(offsetof(gf_describe_ext_t, reserved) == 4);
GF_CHECK(offsetof(gf_describe_ext_t, json) == 8);

/* grafana/ext/health.h */
GF_CHECK(sizeof(gf_health_request_t) == 8);
GF_CHECK(offsetof(gf_health_request_t, struct_size) == 0);
GF_CHECK(offsetof(gf_health_request_t, depth) == 4);
GF_CHECK(sizeof(gf_health_ext_t) == 8);
GF_CHECK(offsetof(gf_health_ext_t, struct_size) == 0);
GF_CHECK(offsetof(gf_health_ext_t, reserved) == 4);

/* grafana/ext/http.h */
GF_CHECK(sizeof(gf_http_request_t) == 96);
GF_CHECK(offsetof(gf_http_request_t, struct_size) == 0);
GF_CHECK(offsetof(gf_http_request_t, flags) == 4);
GF_CHECK(offsetof(gf_http_request_t, config) == 8);
GF_CHECK(offsetof(gf_http_request_t, method) == 16);
GF_CHECK(offsetof(gf_http_request_t, url) == 32);
GF_CHECK(offsetof(gf_http_request_t, headers) == 48);
GF_CHECK(offsetof(gf_http_request_t, header_count) == 56);
GF_CHECK(offsetof(gf_http_request_t, reserved) == 60);
GF_CHECK(offsetof(gf_http_request_t, body) == 64);
GF_CHECK(offsetof(gf_http_request_t, timeout) == 80);
GF_CHECK(offsetof(gf_http_request_t, max_bytes) == 88);
GF_CHECK(sizeof(gf_http_head_t) == 24);
GF_CHECK(offsetof(gf_http_head_t, struct_size) == 0);
GF_CHECK(offsetof(gf_http_head_t, status) == 4);
GF_CHECK(offsetof(gf_http_head_t, headers) == 8);
GF_CHECK(offsetof(gf_http_head_t, header_count) == 16);
GF_CHECK(offsetof(gf_http_head_t, reserved) == 20);
GF_CHECK(sizeof(gf_http_host_t) == 48);
GF_CHECK(offsetof(gf_http_host_t, struct_size) == 0);
GF_CHECK(offsetof(gf_http_host_t, reserved) == 4);
GF_CHECK(offsetof(gf_http_host_t, request) == 8);
GF_CHECK(offsetof(gf_http_host_t, head) == 16);
GF_CHECK(offsetof(gf_http_host_t, read) == 24);
GF_CHECK(offsetof(gf_http_host_t, error) == 32);
GF_CHECK(offsetof(gf_http_host_t, close) == 40);

/* grafana/ext/json.h */
GF_CHECK(sizeof(gf_json_host_t) == 72);
GF_CHECK(offsetof(gf_json_host_t, struct_size) == 0);
GF_CHECK(offsetof(gf_json_host_t, reserved) == 4);
GF_CHECK(offsetof(gf_json_host_t, parse) == 8);
GF_CHECK(offsetof(gf_json_host_t, release) == 16);
GF_CHECK(offsetof(gf_json_host_t, kind) == 24);
GF_CHECK(offsetof(gf_json_host_t, count) == 32);
GF_CHECK(offsetof(gf_json_host_t, get) == 40);
GF_CHECK(offsetof(gf_json_host_t, scalar) == 48);
GF_CHECK(offsetof(gf_json_host_t, canonical) == 56);
GF_CHECK(offsetof(gf_json_host_t, pack) == 64);

/* grafana/ext/kv.h */
GF_CHECK(sizeof(gf_kv_host_t) == 40);
GF_CHECK(offsetof(gf_kv_host_t, struct_size) == 0);
GF_CHECK(offsetof(gf_kv_host_t, reserved) == 4);
GF_CHECK(offsetof(gf_kv_host_t, get) == 8);
GF_CHECK(offsetof(gf_kv_host_t, put) == 16);
GF_CHECK(offsetof(gf_kv_host_t, remove) == 24);
GF_CHECK(offsetof(gf_kv_host_t, list) == 32);

/* grafana/ext/metrics.h */
GF_CHECK(sizeof(gf_metric_t) == 64);
GF_CHECK(offsetof(gf_metric_t, struct_size) == 0);
GF_CHECK(offsetof(gf_metric_t, type) == 4);
GF_CHECK(offsetof(gf_metric_t, name) == 8);
GF_CHECK(offsetof(gf_metric_t, help) == 24);
GF_CHECK(offsetof(gf_metric_t, labels) == 40);
GF_CHECK(offsetof(gf_metric_t, label_count) == 48);
GF_CHECK(offsetof(gf_metric_t, bound_count) == 52);
GF_CHECK(offsetof(gf_metric_t, bounds) == 56);
GF_CHECK(sizeof(gf_metrics_ext_t) == 16);
GF_CHECK(offsetof(gf_metrics_ext_t, struct_size) == 0);
GF_CHECK(offsetof(gf_metrics_ext_t, metric_count) == 4);
GF_CHECK(offsetof(gf_metrics_ext_t, metrics) == 8);
GF_CHECK(sizeof(gf_metrics_host_t) == 32);
GF_CHECK(offsetof(gf_metrics_host_t, struct_size) == 0);
GF_CHECK(offsetof(gf_metrics_host_t, reserved) == 4);
GF_CHECK(offsetof(gf_metrics_host_t, add) == 8);
GF_CHECK(offsetof(gf_metrics_host_t, set) == 16);
GF_CHECK(offsetof(gf_metrics_host_t, observe) == 24);

/* grafana/ext/resource.h */
GF_CHECK(sizeof(gf_resource_request_t) == 72);
GF_CHECK(offsetof(gf_resource_request_t, struct_size) == 0);
GF_CHECK(offsetof(gf_resource_request_t, header_count) == 4);
GF_CHECK(offsetof(gf_resource_request_t, method) == 8);
GF_CHECK(offsetof(gf_resource_request_t, path) == 24);
GF_CHECK(offsetof(gf_resource_request_t, query) == 40);
GF_CHECK(offsetof(gf_resource_request_t, headers) == 56);
GF_CHECK(offsetof(gf_resource_request_t, content_length) == 64);
GF_CHECK(sizeof(gf_resource_ext_t) == 8);
GF_CHECK(offsetof(gf_resource_ext_t, struct_size) == 0);
GF_CHECK(offsetof(gf_resource_ext_t, reserved) == 4);

/* grafana/ext/secrets.h */
GF_CHECK(sizeof(gf_secrets_host_t) == 16);
GF_CHECK(offsetof(gf_secrets_host_t, struct_size) == 0);
GF_CHECK(offsetof(gf_secrets_host_t, reserved) == 4);
GF_CHECK(offsetof(gf_secrets_host_t, get) == 8);

/* grafana/ext/settings.h */
GF_CHECK(sizeof(gf_settings_host_t) == 16);
GF_CHECK(offsetof(gf_settings_host_t, struct_size) == 0);
GF_CHECK(offsetof(gf_settings_host_t, reserved) == 4);
GF_CHECK(offsetof(gf_settings_host_t, get) == 8);

/* grafana/ext/state.h */
GF_CHECK(sizeof(gf_state_ext_t) == 8);
GF_CHECK(offsetof(gf_state_ext_t, struct_size) == 0);
GF_CHECK(offsetof(gf_state_ext_t, reserved) == 4);

/* grafana/ext/stream.h */
GF_CHECK(sizeof(gf_stream_request_t) == 56);
GF_CHECK(offsetof(gf_stream_request_t, struct_size) == 0);
GF_CHECK(offsetof(gf_stream_request_t, reserved) == 4);
GF_CHECK(offsetof(gf_stream_request_t, path) == 8);
GF_CHECK(offsetof(gf_stream_request_t, data) == 24);
GF_CHECK(offsetof(gf_stream_request_t, resume_token) == 40);
GF_CHECK(sizeof(gf_stream_ext_t) == 8);
GF_CHECK(offsetof(gf_stream_ext_t, struct_size) == 0);
GF_CHECK(offsetof(gf_stream_ext_t, reserved) == 4);

/* grafana/ext/timer.h */
GF_CHECK(sizeof(gf_timer_host_t) == 24);
GF_CHECK(offsetof(gf_timer_host_t, struct_size) == 0);
GF_CHECK(offsetof(gf_timer_host_t, reserved) == 4);
GF_CHECK(offsetof(gf_timer_host_t, arm) == 8);
GF_CHECK(offsetof(gf_timer_host_t, disarm) == 16);

/* grafana/ext/websocket.h */
GF_CHECK(sizeof(gf_websocket_request_t) == 80);
GF_CHECK(offsetof(gf_websocket_request_t, struct_size) == 0);
GF_CHECK(offsetof(gf_websocket_request_t, flags) == 4);
GF_CHECK(offsetof(gf_websocket_request_t, config) == 8);
GF_CHECK(offsetof(gf_websocket_request_t, url) == 16);
GF_CHECK(offsetof(gf_websocket_request_t, headers) == 32);
GF_CHECK(offsetof(gf_websocket_request_t, header_count) == 40);
GF_CHECK(offsetof(gf_websocket_request_t, reserved) == 44);
GF_CHECK(offsetof(gf_websocket_request_t, protocols) == 48);
GF_CHECK(offsetof(gf_websocket_request_t, timeout) == 64);
GF_CHECK(offsetof(gf_websocket_request_t, max_message) == 72);
GF_CHECK(sizeof(gf_websocket_message_t) == 64);
GF_CHECK(offsetof(gf_websocket_message_t, struct_size) == 0);
GF_CHECK(offsetof(gf_websocket_message_t, kind) == 4);
GF_CHECK(offsetof(gf_websocket_message_t, data) == 8);
GF_CHECK(offsetof(gf_websocket_message_t, length) == 32);
GF_CHECK(offsetof(gf_websocket_message_t, code) == 40);
GF_CHECK(offsetof(gf_websocket_message_t, reserved) == 44);
GF_CHECK(offsetof(gf_websocket_message_t, reason) == 48);
GF_CHECK(sizeof(gf_websocket_host_t) == 56);
GF_CHECK(offsetof(gf_websocket_host_t, struct_size) == 0);
GF_CHECK(offsetof(gf_websocket_host_t, reserved) == 4);
GF_CHECK(offsetof(gf_websocket_host_t, open) == 8);
GF_CHECK(offsetof(gf_websocket_host_t, head) == 16);
GF_CHECK(offsetof(gf_websocket_host_t, receive) == 24);
GF_CHECK(offsetof(gf_websocket_host_t, send) == 32);
GF_CHECK(offsetof(gf_websocket_host_t, error) == 40);
GF_CHECK(offsetof(gf_websocket_host_t, close) == 48);

#endif

#undef GF_CHECK

#endif
