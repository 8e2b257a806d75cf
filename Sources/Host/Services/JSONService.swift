// SPDX-License-Identifier: Apache-2.0
internal import CJansson
internal import CPluginABI
internal import Glibc
internal import PluginABI

/// `gf.json/1`, with jansson behind it; a `gf_json *` is a `json_t *` that no plugin sees into.
enum JSONService {
    static func table() -> gf_json_host {
        var table = gf_json_host()
        table.struct_size = UInt32(MemoryLayout<gf_json_host>.size)
        table.parse = { _, text, jsonOut, offsetOut in JSONService.parse(text, jsonOut, offsetOut) }
        table.release = { _, json in json_decref(JSONService.value(json)) }
        table.kind = { _, json in JSONService.kind(JSONService.value(json)) }
        table.count = { _, json in
            guard let json = JSONService.value(json) else { return 0 }
            return UInt64(json.pointee.type == JSON_ARRAY ? json_array_size(json) : json_object_size(json))
        }
        table.get = { _, json, path in
            var current = JSONService.value(json)
            for part in String(path).split(separator: ".", omittingEmptySubsequences: true) {
                guard let here = current else { return nil }
                if here.pointee.type == JSON_ARRAY {
                    current = Int(part).flatMap { $0 >= 0 ? json_array_get(here, $0) : nil }
                } else {
                    current = json_object_get(here, String(part))
                }
            }
            return OpaquePointer(current)
        }
        table.scalar = { _, json, valueOut in JSONService.scalar(JSONService.value(json), valueOut) }
        table.canonical = { host, json, textOut, lengthOut in
            textOut?.pointee = gf_buffer()
            guard let runtime = PluginRuntime.from(host), let json = JSONService.value(json) else { return GF_INVALID }
            let flags = JSONService.canonicalFlags
            guard let text = json_dumps(json, flags) else { return GF_NOMEM }
            defer { free(text) }
            let bytes = UnsafeRawBufferPointer(start: text, count: strlen(text))
            return runtime.buffers.lend(copying: bytes, into: textOut, length: lengthOut)
        }
        table.pack = { host, fields, count, textOut, lengthOut in
            textOut?.pointee = gf_buffer()
            guard let runtime = PluginRuntime.from(host), fields != nil || count == 0 else { return GF_STATE }
            guard let text = JSONService.pack(fields, Int(min(count, 65_536))) else { return GF_INVALID }
            return runtime.buffers.lend(copying: text.utf8, into: textOut, length: lengthOut)
        }
        return table
    }

    /// JSON_COMPACT, JSON_SORT_KEYS, JSON_ENCODE_ANY.
    private static let canonicalFlags = 0x20 | 0x80 | 0x200
    /// JSON_REJECT_DUPLICATES, JSON_DECODE_ANY.
    private static let parseFlags = 0x1 | 0x4

    private static func value(_ json: OpaquePointer?) -> UnsafeMutablePointer<json_t>? {
        json.map { UnsafeMutablePointer($0) }
    }

    private static func parse(
        _ text: gf_str, _ jsonOut: UnsafeMutablePointer<OpaquePointer?>?, _ offsetOut: UnsafeMutablePointer<UInt64>?
    ) -> gf_status {
        guard let jsonOut else { return GF_STATE }
        jsonOut.pointee = nil
        guard let data = text.data, text.length > 0 else { return GF_INVALID }
        var error = json_error_t()
        guard let json = json_loadb(data, Int(clamping: text.length), parseFlags, &error) else {
            offsetOut?.pointee = UInt64(max(0, error.position))
            return GF_INVALID
        }
        jsonOut.pointee = OpaquePointer(json)
        return GF_OK
    }

    private static func kind(_ json: UnsafeMutablePointer<json_t>?) -> UInt32 {
        switch json?.pointee.type {
        case JSON_TRUE, JSON_FALSE: GF_JSON_BOOL
        case JSON_INTEGER: GF_JSON_INTEGER
        case JSON_REAL: GF_JSON_REAL
        case JSON_STRING: GF_JSON_STRING
        case JSON_ARRAY: GF_JSON_ARRAY
        case JSON_OBJECT: GF_JSON_OBJECT
        default: GF_JSON_NULL
        }
    }

    private static func scalar(_ json: UnsafeMutablePointer<json_t>?, _ out: UnsafeMutablePointer<gf_value>?)
        -> gf_status
    {
        guard let out else { return GF_STATE }
        out.pointee = gf_value()
        guard let json else { return GF_OK }
        switch kind(json) {
        case GF_JSON_BOOL:
            out.pointee.type = GF_VALUE_BOOL
            out.pointee.as.i64 = json.pointee.type == JSON_TRUE ? 1 : 0
        case GF_JSON_INTEGER:
            out.pointee.type = GF_VALUE_I64
            out.pointee.as.i64 = Int64(json_integer_value(json))
        case GF_JSON_REAL:
            out.pointee.type = GF_VALUE_F64
            out.pointee.as.f64 = json_real_value(json)
        case GF_JSON_STRING:
            out.pointee.type = GF_VALUE_STR
            out.pointee.as.str = gf_str(data: json_string_value(json), length: UInt64(json_string_length(json)))
        case GF_JSON_NULL: break
        default: return GF_INVALID
        }
        return GF_OK
    }

    private static func pack(_ fields: UnsafePointer<gf_field>?, _ count: Int) -> String? {
        var object = JSONObject()
        for index in 0..<count {
            guard let field = fields?[index] else { return nil }
            let key = String(field.key)
            switch field.value.type {
            case GF_VALUE_NULL: object[key] = .null
            case GF_VALUE_BOOL: object[key] = .bool(field.value.as.i64 != 0)
            case GF_VALUE_I64: object[key] = .integer(field.value.as.i64)
            case GF_VALUE_F64: object[key] = field.value.as.f64.isFinite ? .number(field.value.as.f64) : .null
            case GF_VALUE_STR: object[key] = .string(String(field.value.as.str))
            case GF_VALUE_BYTES: object[key] = .string(Base64.encode([UInt8](field.value.as.bytes)))
            default: return nil
            }
        }
        return JSONValue.object(object).encoded()
    }
}
