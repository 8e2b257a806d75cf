// SPDX-License-Identifier: Apache-2.0

/// Why the text of a manifest is refused.
struct ManifestFault: Error, Equatable {
    var code: SignatureVerdict.Code
    /// The fact, for a person.
    var message: String

    init(_ code: SignatureVerdict.Code, _ message: String) {
        self.code = code
        self.message = message
    }
}

extension Manifest {
    /// Reads the signed text.
    ///
    /// - Throws: ``ManifestFault``.
    init(parsing text: [UInt8]) throws(ManifestFault) {
        let json: StrictJSON
        do throws(FormatError) {
            json = try StrictJSON(parsing: text)
        } catch {
            throw ManifestFault(error.isDuplicateKey ? .manifestDuplicateKey : .manifestNotJSON, error.message)
        }
        guard case .object = json else { throw ManifestFault(.manifestNotJSON, "the text is no JSON object") }

        plugin = try json.required("plugin")
        version = try json.required("version")
        keyID = try json.required("keyId")
        timeMilliseconds = try json.time()
        files = try json.files()
        manifestVersion = try json.text("manifestVersion")
        rootURLs = try json.texts("rootUrls")
        organization = try json.text("signedByOrg")
        organizationName = try json.text("signedByOrgName")
        signatureType = nil
        guard isSupportedVersion else { return }

        organization = try json.required("signedByOrg")
        organizationName = try json.required("signedByOrgName")
        let type = try json.required("signatureType")
        guard let known = SignatureType(rawValue: type) else {
            let names = SignatureType.allCases.map(\.rawValue).joined(separator: ", ")
            throw ManifestFault(.manifestField, "the field signatureType is '\(type)', none of \(names)")
        }
        signatureType = known
    }
}

extension StrictJSON {
    /// A text; empty when it is missing or null, as in Go.
    fileprivate func text(_ key: String) throws(ManifestFault) -> String {
        switch self[key] {
        case nil, .null?: return ""
        case .string(let text)?: return text
        default: throw ManifestFault(.manifestField, "the field \(key) is no text")
        }
    }

    fileprivate func required(_ key: String) throws(ManifestFault) -> String {
        let text = try text(key)
        guard !text.isEmpty else { throw ManifestFault(.manifestField, "the field \(key) is missing") }
        return text
    }

    fileprivate func texts(_ key: String) throws(ManifestFault) -> [String] {
        switch self[key] {
        case nil, .null?: return []
        case .array(let elements)?:
            var texts: [String] = []
            for element in elements {
                guard case .string(let text) = element else {
                    throw ManifestFault(.manifestField, "the field \(key) is no list of texts")
                }
                texts.append(text)
            }
            return texts
        default: throw ManifestFault(.manifestField, "the field \(key) is no list of texts")
        }
    }

    fileprivate func time() throws(ManifestFault) -> Int64 {
        guard case .integer(let time)? = self["time"], time > 0 else {
            throw ManifestFault(.manifestField, "the field time is missing or no whole number of milliseconds")
        }
        return time
    }

    fileprivate func files() throws(ManifestFault) -> [Manifest.File] {
        guard case .object(let members)? = self["files"], !members.isEmpty else {
            throw ManifestFault(.manifestField, "the field files is missing or empty")
        }
        var files: [Manifest.File] = []
        files.reserveCapacity(members.count)
        for member in members {
            if let fault = ManifestPath.fault(of: member.key) {
                throw ManifestFault(.manifestPath, "the path '\(member.key)' is refused: \(fault)")
            }
            guard case .string(let text) = member.value, let digest = FileDigest(hexadecimal: text) else {
                throw ManifestFault(
                    .manifestField, "the file '\(member.key)' has no SHA-256 of 64 lower-case hexadecimal digits")
            }
            files.append(Manifest.File(path: member.key, digest: digest))
        }
        return files.sorted { PathOrder.precedes($0.path, $1.path) }
    }
}

extension Manifest {
    /// The text to sign: JSON with the fields in Grafana's order and the files by the bytes of their paths.
    var text: String {
        var members: [StrictJSON.Member] = []
        func add(_ key: String, _ value: StrictJSON) { members.append(StrictJSON.Member(key: key, value: value)) }
        add("manifestVersion", .string(manifestVersion))
        if let signatureType { add("signatureType", .string(signatureType.rawValue)) }
        add("signedByOrg", .string(organization))
        add("signedByOrgName", .string(organizationName))
        if !rootURLs.isEmpty { add("rootUrls", .array(rootURLs.map { .string($0) })) }
        add("plugin", .string(plugin))
        add("version", .string(version))
        add("time", .integer(timeMilliseconds))
        add("keyId", .string(keyID))
        add(
            "files",
            .object(files.map { StrictJSON.Member(key: $0.path, value: .string($0.digest.hexadecimal)) }))
        return StrictJSON.object(members).indentedText()
    }
}
