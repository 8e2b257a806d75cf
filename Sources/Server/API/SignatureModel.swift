// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Signing

/// The verdict on a signature as JSON: ours, beside Grafana's `signature`, `signatureType` and `signatureOrg`.
enum SignatureModel {
    static func json(_ verdict: SignatureVerdict) -> JSONValue {
        var object: JSONObject = [
            "status": .string(verdict.status.rawValue), "code": .string(verdict.code.rawValue),
            "reason": .string(verdict.reason),
        ]
        if let signer = verdict.signer {
            object["key"] = ["fingerprint": .string(signer.fingerprint), "owner": .string(signer.owner)]
            object["grantedBy"] = .string(signer.grantedBy)
        }
        if let level = verdict.level { object["level"] = .string(level.rawValue) }
        if let time = verdict.signedAt { object["signedAt"] = .integer(time * 1000) }
        if let difference = verdict.difference {
            object["file"] = [
                "path": .string(difference.path), "expected": digest(difference.expected),
                "found": digest(difference.found),
            ]
            object["differences"] = .integer(Int64(verdict.differenceCount))
        }
        return .object(object)
    }

    private static func digest(_ digest: FileDigest?) -> JSONValue {
        digest.map { .string($0.hexadecimal) } ?? .null
    }
}
