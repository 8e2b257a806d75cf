// SPDX-License-Identifier: Apache-2.0
public import PluginABI

/// Events as lines of JSON, from a server that installs to the program that asked for it.
extension InstallEvent {
    /// One object, with the name of the event in `event`.
    public var json: JSONValue {
        switch self {
        case .resolved(let id, let version, let source):
            ["event": "resolved", "id": .string(id), "version": .string(version), "source": .string(source)]
        case .downloading(let name, let bytes, let whole):
            [
                "event": "downloading", "name": .string(name), "bytes": .integer(Int64(clamping: bytes)),
                "whole": whole.map { .integer(Int64(clamping: $0)) } ?? .null,
            ]
        case .unpacking(let id, let bytes, let whole):
            [
                "event": "unpacking", "id": .string(id), "bytes": .integer(Int64(clamping: bytes)),
                "whole": .integer(Int64(clamping: whole)),
            ]
        case .verified(let id, let publisher):
            [
                "event": "verified", "id": .string(id), "status": .string(publisher.status),
                "fingerprint": publisher.fingerprint.map { .string($0) } ?? .null,
                "owner": publisher.owner.map { .string($0) } ?? .null,
            ]
        case .asking(let question):
            [
                "event": "asking", "id": .string(question.id), "version": .string(question.version),
                "wanted": .array(question.wanted.map { .string($0) }), "update": .bool(question.isUpdate),
            ]
        case .dependency(let id, let parent): ["event": "dependency", "id": .string(id), "of": .string(parent)]
        case .installed(let id, let version, let folder, let before):
            [
                "event": "installed", "id": .string(id), "version": .string(version), "folder": .string(folder),
                "before": before.map { .string($0) } ?? .null,
            ]
        case .warning(let text): ["event": "warning", "text": .string(text)]
        }
    }

    /// Nil for a line that is no event of an installation.
    public init?(_ json: JSONValue) {
        let id = json["id"]?.string ?? ""
        let bytes = UInt64(clamping: json["bytes"]?.int ?? 0)
        switch json["event"]?.string {
        case "resolved":
            self = .resolved(
                id: id, version: json["version"]?.string ?? "", source: json["source"]?.string ?? "")
        case "downloading":
            let whole = json["whole"]?.int.map { UInt64(clamping: $0) }
            self = .downloading(name: json["name"]?.string ?? "", bytes: bytes, whole: whole)
        case "unpacking": self = .unpacking(id: id, bytes: bytes, whole: UInt64(clamping: json["whole"]?.int ?? 0))
        case "verified":
            let publisher = LockedPlugin.Publisher(
                status: json["status"]?.string ?? "", fingerprint: json["fingerprint"]?.string,
                owner: json["owner"]?.string, type: nil)
            self = .verified(id: id, publisher: publisher)
        case "asking":
            self = .asking(
                PermissionQuestion(
                    id: id, version: json["version"]?.string ?? "",
                    wanted: (json["wanted"]?.array ?? []).compactMap(\.string), isUpdate: json["update"]?.bool ?? true))
        case "dependency": self = .dependency(id: id, of: json["of"]?.string ?? "")
        case "installed":
            self = .installed(
                id: id, version: json["version"]?.string ?? "", folder: json["folder"]?.string ?? "",
                before: json["before"]?.string)
        case "warning": self = .warning(json["text"]?.string ?? "")
        default: return nil
        }
    }
}
