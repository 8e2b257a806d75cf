/* SPDX-License-Identifier: Apache-2.0
 * A library that has every type of the plugin ABI in its debug information, for abi/check.sh.
 * Made by abi/generate.py; do not edit. */
#include <grafana/arrow.h>
#include <grafana/plugin.h>
#include <grafana/ext/datasource.h>
#include <grafana/ext/describe.h>
#include <grafana/ext/health.h>
#include <grafana/ext/http.h>
#include <grafana/ext/json.h>
#include <grafana/ext/kv.h>
#include <grafana/ext/metrics.h>
#include <grafana/ext/resource.h>
#include <grafana/ext/secrets.h>
#include <grafana/ext/settings.h>
#include <grafana/ext/state.h>
#include <grafana/ext/stream.h>
#include <grafana/ext/timer.h>
#include <grafana/ext/websocket.h>

void probe_ArrowSchema(struct ArrowSchema *value);
void probe_ArrowSchema(struct ArrowSchema *value) { (void)value; }
void probe_ArrowArray(struct ArrowArray *value);
void probe_ArrowArray(struct ArrowArray *value) { (void)value; }
void probe_ArrowArrayStream(struct ArrowArrayStream *value);
void probe_ArrowArrayStream(struct ArrowArrayStream *value) { (void)value; }
void probe_gf_str_t(gf_str_t *value);
void probe_gf_str_t(gf_str_t *value) { (void)value; }
void probe_gf_bytes_t(gf_bytes_t *value);
void probe_gf_bytes_t(gf_bytes_t *value) { (void)value; }
void probe_gf_value_t(gf_value_t *value);
void probe_gf_value_t(gf_value_t *value) { (void)value; }
void probe_gf_field_t(gf_field_t *value);
void probe_gf_field_t(gf_field_t *value) { (void)value; }
void probe_gf_pair_t(gf_pair_t *value);
void probe_gf_pair_t(gf_pair_t *value) { (void)value; }
void probe_gf_buffer_t(gf_buffer_t *value);
void probe_gf_buffer_t(gf_buffer_t *value) { (void)value; }
void probe_gf_error_t(gf_error_t *value);
void probe_gf_error_t(gf_error_t *value) { (void)value; }
void probe_gf_extension_t(gf_extension_t *value);
void probe_gf_extension_t(gf_extension_t *value) { (void)value; }
void probe_gf_instance_config_t(gf_instance_config_t *value);
void probe_gf_instance_config_t(gf_instance_config_t *value) { (void)value; }
void probe_gf_library_api_t(gf_library_api_t *value);
void probe_gf_library_api_t(gf_library_api_t *value) { (void)value; }
void probe_gf_instance_api_t(gf_instance_api_t *value);
void probe_gf_instance_api_t(gf_instance_api_t *value) { (void)value; }
void probe_gf_call_api_t(gf_call_api_t *value);
void probe_gf_call_api_t(gf_call_api_t *value) { (void)value; }
void probe_gf_plugin_desc_t(gf_plugin_desc_t *value);
void probe_gf_plugin_desc_t(gf_plugin_desc_t *value) { (void)value; }
void probe_gf_host_info_t(gf_host_info_t *value);
void probe_gf_host_info_t(gf_host_info_t *value) { (void)value; }
void probe_gf_host_core_t(gf_host_core_t *value);
void probe_gf_host_core_t(gf_host_core_t *value) { (void)value; }
void probe_gf_principal_t(gf_principal_t *value);
void probe_gf_principal_t(gf_principal_t *value) { (void)value; }
void probe_gf_call_host_t(gf_call_host_t *value);
void probe_gf_call_host_t(gf_call_host_t *value) { (void)value; }
void probe_gf_notice_t(gf_notice_t *value);
void probe_gf_notice_t(gf_notice_t *value) { (void)value; }
void probe_gf_head_t(gf_head_t *value);
void probe_gf_head_t(gf_head_t *value) { (void)value; }
void probe_gf_sink_t(gf_sink_t *value);
void probe_gf_sink_t(gf_sink_t *value) { (void)value; }
void probe_gf_host_t(gf_host_t *value);
void probe_gf_host_t(gf_host_t *value) { (void)value; }
void probe_gf_query_t(gf_query_t *value);
void probe_gf_query_t(gf_query_t *value) { (void)value; }
void probe_gf_query_request_t(gf_query_request_t *value);
void probe_gf_query_request_t(gf_query_request_t *value) { (void)value; }
void probe_gf_datasource_ext_t(gf_datasource_ext_t *value);
void probe_gf_datasource_ext_t(gf_datasource_ext_t *value) { (void)value; }
void probe_gf_describe_ext_t(gf_describe_ext_t *value);
void probe_gf_describe_ext_t(gf_describe_ext_t *value) { (void)value; }
void probe_gf_health_request_t(gf_health_request_t *value);
void probe_gf_health_request_t(gf_health_request_t *value) { (void)value; }
void probe_gf_health_ext_t(gf_health_ext_t *value);
void probe_gf_health_ext_t(gf_health_ext_t *value) { (void)value; }
void probe_gf_http_request_t(gf_http_request_t *value);
void probe_gf_http_request_t(gf_http_request_t *value) { (void)value; }
void probe_gf_http_head_t(gf_http_head_t *value);
void probe_gf_http_head_t(gf_http_head_t *value) { (void)value; }
void probe_gf_http_host_t(gf_http_host_t *value);
void probe_gf_http_host_t(gf_http_host_t *value) { (void)value; }
void probe_gf_json_host_t(gf_json_host_t *value);
void probe_gf_json_host_t(gf_json_host_t *value) { (void)value; }
void probe_gf_kv_host_t(gf_kv_host_t *value);
void probe_gf_kv_host_t(gf_kv_host_t *value) { (void)value; }
void probe_gf_metric_t(gf_metric_t *value);
void probe_gf_metric_t(gf_metric_t *value) { (void)value; }
void probe_gf_metrics_ext_t(gf_metrics_ext_t *value);
void probe_gf_metrics_ext_t(gf_metrics_ext_t *value) { (void)value; }
void probe_gf_metrics_host_t(gf_metrics_host_t *value);
void probe_gf_metrics_host_t(gf_metrics_host_t *value) { (void)value; }
void probe_gf_resource_request_t(gf_resource_request_t *value);
void probe_gf_resource_request_t(gf_resource_request_t *value) { (void)value; }
void probe_gf_resource_ext_t(gf_resource_ext_t *value);
void probe_gf_resource_ext_t(gf_resource_ext_t *value) { (void)value; }
void probe_gf_secrets_host_t(gf_secrets_host_t *value);
void probe_gf_secrets_host_t(gf_secrets_host_t *value) { (void)value; }
void probe_gf_settings_host_t(gf_settings_host_t *value);
void probe_gf_settings_host_t(gf_settings_host_t *value) { (void)value; }
void probe_gf_state_ext_t(gf_state_ext_t *value);
void probe_gf_state_ext_t(gf_state_ext_t *value) { (void)value; }
void probe_gf_stream_request_t(gf_stream_request_t *value);
void probe_gf_stream_request_t(gf_stream_request_t *value) { (void)value; }
void probe_gf_stream_ext_t(gf_stream_ext_t *value);
void probe_gf_stream_ext_t(gf_stream_ext_t *value) { (void)value; }
void probe_gf_timer_host_t(gf_timer_host_t *value);
void probe_gf_timer_host_t(gf_timer_host_t *value) { (void)value; }
void probe_gf_websocket_request_t(gf_websocket_request_t *value);
void probe_gf_websocket_request_t(gf_websocket_request_t *value) { (void)value; }
void probe_gf_websocket_message_t(gf_websocket_message_t *value);
void probe_gf_websocket_message_t(gf_websocket_message_t *value) { (void)value; }
void probe_gf_websocket_host_t(gf_websocket_host_t *value);
void probe_gf_websocket_host_t(gf_websocket_host_t *value) { (void)value; }
const gf_plugin_desc_t *gf_entry_v1(const gf_host_info_t *info) { (void)info; return 0; }
