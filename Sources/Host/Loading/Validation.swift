// SPDX-License-Identifier: Apache-2.0

/// The third stage: judges a candidate without opening its code.
///
/// The order is fixed: signature, files, ELF header, assets. The first failing step refuses the plugin.
struct Validation {
    var settings: LoadingSettings

    /// - Parameter signature: the verdict on the primary plugin of the bundle.
    /// - Throws: ``PluginRefusal``.
    func validate(_ candidate: PluginCandidate, signature: PluginSignature) throws -> ValidatedPlugin {
        var warnings = try checkSignature(signature, of: candidate)
        if let refusal = candidate.backendRefusal { throw refusal }
        let elf = try candidate.image.map { try checkLibrary($0, of: candidate) }
        if let elf { warnings += Self.warnings(about: elf) }
        warnings += moduleWarnings(candidate)
        var files = candidate.files
        files.signed = signature.evidence?.digests(below: candidate)
        return ValidatedPlugin(
            descriptor: candidate.descriptor, folder: candidate.folder, sourceFolder: candidate.sourceFolder,
            pluginClass: candidate.pluginClass, signature: signature, image: candidate.image, elf: elf,
            executable: candidate.executable, executableImage: candidate.executableImage, assets: candidate.assets,
            files: files, parentID: candidate.parentID, childIDs: candidate.childIDs,
            includedInAppID: candidate.includedInAppID,
            warnings: warnings)
    }

    /// Only `valid` and `internal` pass by themselves; `unsigned` passes by a setting; nothing else passes.
    private func checkSignature(
        _ signature: PluginSignature, of candidate: PluginCandidate
    ) throws(PluginRefusal) -> [PluginWarning] {
        let id = candidate.descriptor.id
        guard let refusal = signature.refusal(of: id, folder: candidate.folder) else { return [] }
        guard signature.status == .unsigned, settings.unsignedIDs.contains(id) || settings.isDevelopment else {
            throw refusal
        }
        let setting = settings.isDevelopment ? "app_mode = development" : "allow_loading_unsigned_plugins"
        return [PluginWarning("unsigned-allowed", "it is unsigned and loads because of \(setting)")]
    }

    /// Grafana only warns: a plugin without module.js still answers queries.
    private func moduleWarnings(_ candidate: PluginCandidate) -> [PluginWarning] {
        let needsModule = candidate.descriptor.type == .panel || candidate.descriptor.type == .app
        let isServed = candidate.pluginClass == .external && needsModule && candidate.descriptor.library == nil
        guard isServed, !candidate.files.contains("module.js") else { return [] }
        return [PluginWarning("module-missing", "module.js is missing: the page cannot show the plugin")]
    }

    private static func warnings(about elf: ELFImage) -> [PluginWarning] {
        var warnings: [PluginWarning] = []
        if !elf.otherExports.isEmpty {
            let names = elf.otherExports.joined(separator: ", ")
            warnings.append(
                PluginWarning(
                    "extra-exports",
                    "it exports \(elf.exportedSymbolCount) symbols instead of one (\(names)); "
                        + "link with -fvisibility=hidden or a version script"))
        }
        if !elf.runPath.isEmpty {
            warnings.append(PluginWarning("rpath", "it has the run path '\(elf.runPath)'; link without -rpath"))
        }
        if elf.hasStaticTLS {
            warnings.append(
                PluginWarning(
                    "static-tls",
                    "it uses static thread-local storage, of which a process has little; "
                        + "compile without -ftls-model=initial-exec"))
        }
        return warnings
    }
}
