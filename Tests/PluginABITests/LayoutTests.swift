// SPDX-License-Identifier: Apache-2.0
// Made by abi/generate.py; do not edit. Its C twin is include/grafana/check.h.
import CPluginABI
import Testing

/// Swift sees every struct of the plugin ABI as C lays it out on 64-bit targets.
struct LayoutTests {
    private func expect<Value>(_: Value.Type, size: Int, _ members: [(PartialKeyPath<Value>, Int)]) {
        #expect(MemoryLayout<Value>.size == size)
        #expect(MemoryLayout<Value>.stride == size)
        for (path, offset) in members {
            #expect(MemoryLayout<Value>.offset(of: path) == offset, "\(path)")
        }
    }

    @Test func arrowSchema() {
        expect(
            ArrowSchema.self, size: 72,
            [
                (\.format, 0), (\.name, 8), (\.metadata, 16), (\.flags, 24), (\.n_children, 32), (\.children, 40),
                (\.dictionary, 48), (\.release, 56), (\.private_data, 64),
            ])
    }

    @Test func arrowArray() {
        expect(
            ArrowArray.self, size: 80,
            [
                (\.length, 0), (\.null_count, 8), (\.offset, 16), (\.n_buffers, 24), (\.n_children, 32),
                (\.buffers, 40), (\.children, 48), (\.dictionary, 56), (\.release, 64), (\.private_data, 72),
            ])
    }

    @Test func arrowArrayStream() {
        expect(
            ArrowArrayStream.self, size: 40,
            [
                (\.get_schema, 0), (\.get_next, 8), (\.get_last_error, 16), (\.release, 24), (\.private_data, 32),
            ])
    }

    @Test func gfStr() {
        expect(
            gf_str_t.self, size: 16,
            [
                (\.data, 0), (\.length, 8),
            ])
    }

    @Test func gfBytes() {
        expect(
            gf_bytes_t.self, size: 16,
            [
                (\.data, 0), (\.length, 8),
            ])
    }

    @Test func gfValue() {
        expect(
            gf_value_t.self, size: 24,
            [
                (\.type, 0), (\.reserved, 4), (\.as, 8),
            ])
    }

    @Test func gfField() {
        expect(
            gf_field_t.self, size: 40,
            [
                (\.key, 0), (\.value, 16),
            ])
    }

    @Test func gfPair() {
        expect(
            gf_pair_t.self, size: 32,
            [
                (\.key, 0), (\.value, 16),
            ])
    }

    @Test func gfBuffer() {
        expect(
            gf_buffer_t.self, size: 24,
            [
                (\.data, 0), (\.capacity, 8), (\.token, 16),
            ])
    }

    @Test func gfError() {
        expect(
            gf_error_t.self, size: 88,
            [
                (\.struct_size, 0), (\.source, 4), (\.code, 8), (\.http_status, 12), (\.retry_after, 16),
                (\.ref_id, 24), (\.message, 40), (\.hint, 56), (\.details, 72),
            ])
    }

    @Test func gfExtension() {
        expect(
            gf_extension_t.self, size: 8,
            [
                (\.struct_size, 0), (\.reserved, 4),
            ])
    }

    @Test func gfInstanceConfig() {
        expect(
            gf_instance_config_t.self, size: 168,
            [
                (\.struct_size, 0), (\.basic_auth, 4), (\.handle, 8), (\.id, 16), (\.org_id, 24), (\.updated, 32),
                (\.uid, 40), (\.name, 56), (\.plugin_id, 72), (\.url, 88), (\.user, 104), (\.database, 120),
                (\.basic_auth_user, 136), (\.json_data, 152),
            ])
    }

    @Test func gfLibraryApi() {
        expect(
            gf_library_api_t.self, size: 32,
            [
                (\.struct_size, 0), (\.reserved, 4), (\.open, 8), (\.close, 16), (\.get_extension, 24),
            ])
    }

    @Test func gfInstanceApi() {
        expect(
            gf_instance_api_t.self, size: 40,
            [
                (\.struct_size, 0), (\.reserved, 4), (\.create, 8), (\.update, 16), (\.drain, 24), (\.destroy, 32),
            ])
    }

    @Test func gfCallApi() {
        expect(
            gf_call_api_t.self, size: 40,
            [
                (\.struct_size, 0), (\.reserved, 4), (\.start, 8), (\.cancel, 16), (\.resume, 24), (\.release, 32),
            ])
    }

    @Test func gfPluginDesc() {
        expect(
            gf_plugin_desc_t.self, size: 96,
            [
                (\.struct_size, 0), (\.kinds, 4), (\.id, 8), (\.version, 24), (\.abi_built, 40), (\.abi_needed, 44),
                (\.capabilities, 48), (\.concurrency, 52), (\.max_parallel, 56), (\.reserved, 60), (\.library, 64),
                (\.instance, 72), (\.call, 80), (\.context, 88),
            ])
    }

    @Test func gfHostInfo() {
        expect(
            gf_host_info_t.self, size: 56,
            [
                (\.struct_size, 0), (\.abi_minor, 4), (\.level, 8), (\.reserved, 12), (\.name, 16), (\.version, 32),
                (\.has_extension, 48),
            ])
    }

    @Test func gfHostCore() {
        expect(
            gf_host_core_t.self, size: 56,
            [
                (\.struct_size, 0), (\.reserved, 4), (\.log, 8), (\.error_set, 16), (\.now, 24), (\.get_extension, 32),
                (\.buffer_alloc, 40), (\.buffer_release, 48),
            ])
    }

    @Test func gfPrincipal() {
        expect(
            gf_principal_t.self, size: 80,
            [
                (\.struct_size, 0), (\.is_server, 4), (\.org_id, 8), (\.login, 16), (\.name, 32), (\.email, 48),
                (\.role, 64),
            ])
    }

    @Test func gfCallHost() {
        expect(
            gf_call_host_t.self, size: 80,
            [
                (\.struct_size, 0), (\.reserved, 4), (\.is_cancelled, 8), (\.deadline, 16), (\.budget_left, 24),
                (\.principal, 32), (\.trace_context, 40), (\.locale, 48), (\.header_get, 56), (\.state_set, 64),
                (\.read, 72),
            ])
    }

    @Test func gfNotice() {
        expect(
            gf_notice_t.self, size: 56,
            [
                (\.struct_size, 0), (\.severity, 4), (\.ref_id, 8), (\.text, 24), (\.link, 40),
            ])
    }

    @Test func gfHead() {
        expect(
            gf_head_t.self, size: 40,
            [
                (\.struct_size, 0), (\.status, 4), (\.message, 8), (\.headers, 24), (\.header_count, 32),
                (\.reserved, 36),
            ])
    }

    @Test func gfSink() {
        expect(
            gf_sink_t.self, size: 80,
            [
                (\.struct_size, 0), (\.reserved, 4), (\.schema, 8), (\.batch, 16), (\.bytes, 24), (\.buffer, 32),
                (\.head, 40), (\.notice, 48), (\.progress, 56), (\.wait_ready, 64), (\.complete, 72),
            ])
    }

    @Test func gfHost() {
        expect(
            gf_host_t.self, size: 40,
            [
                (\.struct_size, 0), (\.abi_minor, 4), (\.context, 8), (\.core, 16), (\.call, 24), (\.sink, 32),
            ])
    }

    @Test func gfQuery() {
        expect(
            gf_query_t.self, size: 96,
            [
                (\.struct_size, 0), (\.reserved, 4), (\.ref_id, 8), (\.query_type, 24), (\.json, 40), (\.from, 56),
                (\.to, 64), (\.interval, 72), (\.max_data_points, 80), (\.max_rows, 88),
            ])
    }

    @Test func gfQueryRequest() {
        expect(
            gf_query_request_t.self, size: 16,
            [
                (\.struct_size, 0), (\.query_count, 4), (\.queries, 8),
            ])
    }

    @Test func gfDatasourceExt() {
        expect(
            gf_datasource_ext_t.self, size: 8,
            [
                (\.struct_size, 0), (\.reserved, 4),
            ])
    }

    @Test func gfDescribeExt() {
        expect(
            gf_describe_ext_t.self, size: 24,
            [
                (\.struct_size, 0), (\.reserved, 4), (\.json, 8),
            ])
    }

    @Test func gfHealthRequest() {
        expect(
            gf_health_request_t.self, size: 8,
            [
                (\.struct_size, 0), (\.depth, 4),
            ])
    }

    @Test func gfHealthExt() {
        expect(
            gf_health_ext_t.self, size: 8,
            [
                (\.struct_size, 0), (\.reserved, 4),
            ])
    }

    @Test func gfHttpRequest() {
        expect(
            gf_http_request_t.self, size: 96,
            [
                (\.struct_size, 0), (\.flags, 4), (\.config, 8), (\.method, 16), (\.url, 32), (\.headers, 48),
                (\.header_count, 56), (\.reserved, 60), (\.body, 64), (\.timeout, 80), (\.max_bytes, 88),
            ])
    }

    @Test func gfHttpHead() {
        expect(
            gf_http_head_t.self, size: 24,
            [
                (\.struct_size, 0), (\.status, 4), (\.headers, 8), (\.header_count, 16), (\.reserved, 20),
            ])
    }

    @Test func gfHttpHost() {
        expect(
            gf_http_host_t.self, size: 48,
            [
                (\.struct_size, 0), (\.reserved, 4), (\.request, 8), (\.head, 16), (\.read, 24), (\.error, 32),
                (\.close, 40),
            ])
    }

    @Test func gfJsonHost() {
        expect(
            gf_json_host_t.self, size: 72,
            [
                (\.struct_size, 0), (\.reserved, 4), (\.parse, 8), (\.release, 16), (\.kind, 24), (\.count, 32),
                (\.get, 40), (\.scalar, 48), (\.canonical, 56), (\.pack, 64),
            ])
    }

    @Test func gfKvHost() {
        expect(
            gf_kv_host_t.self, size: 40,
            [
                (\.struct_size, 0), (\.reserved, 4), (\.get, 8), (\.put, 16), (\.remove, 24), (\.list, 32),
            ])
    }

    @Test func gfMetric() {
        expect(
            gf_metric_t.self, size: 64,
            [
                (\.struct_size, 0), (\.type, 4), (\.name, 8), (\.help, 24), (\.labels, 40), (\.label_count, 48),
                (\.bound_count, 52), (\.bounds, 56),
            ])
    }

    @Test func gfMetricsExt() {
        expect(
            gf_metrics_ext_t.self, size: 16,
            [
                (\.struct_size, 0), (\.metric_count, 4), (\.metrics, 8),
            ])
    }

    @Test func gfMetricsHost() {
        expect(
            gf_metrics_host_t.self, size: 32,
            [
                (\.struct_size, 0), (\.reserved, 4), (\.add, 8), (\.set, 16), (\.observe, 24),
            ])
    }

    @Test func gfResourceRequest() {
        expect(
            gf_resource_request_t.self, size: 72,
            [
                (\.struct_size, 0), (\.header_count, 4), (\.method, 8), (\.path, 24), (\.query, 40), (\.headers, 56),
                (\.content_length, 64),
            ])
    }

    @Test func gfResourceExt() {
        expect(
            gf_resource_ext_t.self, size: 8,
            [
                (\.struct_size, 0), (\.reserved, 4),
            ])
    }

    @Test func gfSecretsHost() {
        expect(
            gf_secrets_host_t.self, size: 16,
            [
                (\.struct_size, 0), (\.reserved, 4), (\.get, 8),
            ])
    }

    @Test func gfSettingsHost() {
        expect(
            gf_settings_host_t.self, size: 16,
            [
                (\.struct_size, 0), (\.reserved, 4), (\.get, 8),
            ])
    }

    @Test func gfStateExt() {
        expect(
            gf_state_ext_t.self, size: 8,
            [
                (\.struct_size, 0), (\.reserved, 4),
            ])
    }

    @Test func gfStreamRequest() {
        expect(
            gf_stream_request_t.self, size: 56,
            [
                (\.struct_size, 0), (\.reserved, 4), (\.path, 8), (\.data, 24), (\.resume_token, 40),
            ])
    }

    @Test func gfStreamExt() {
        expect(
            gf_stream_ext_t.self, size: 8,
            [
                (\.struct_size, 0), (\.reserved, 4),
            ])
    }

    @Test func gfTimerHost() {
        expect(
            gf_timer_host_t.self, size: 24,
            [
                (\.struct_size, 0), (\.reserved, 4), (\.arm, 8), (\.disarm, 16),
            ])
    }

    @Test func gfWebsocketRequest() {
        expect(
            gf_websocket_request_t.self, size: 80,
            [
                (\.struct_size, 0), (\.flags, 4), (\.config, 8), (\.url, 16), (\.headers, 32), (\.header_count, 40),
                (\.reserved, 44), (\.protocols, 48), (\.timeout, 64), (\.max_message, 72),
            ])
    }

    @Test func gfWebsocketMessage() {
        expect(
            gf_websocket_message_t.self, size: 64,
            [
                (\.struct_size, 0), (\.kind, 4), (\.data, 8), (\.length, 32), (\.code, 40), (\.reserved, 44),
                (\.reason, 48),
            ])
    }

    @Test func gfWebsocketHost() {
        expect(
            gf_websocket_host_t.self, size: 56,
            [
                (\.struct_size, 0), (\.reserved, 4), (\.open, 8), (\.head, 16), (\.receive, 24), (\.send, 32),
                (\.error, 40), (\.close, 48),
            ])
    }
}
