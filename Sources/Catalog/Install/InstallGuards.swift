// SPDX-License-Identifier: Apache-2.0

/// What may take the place of what: pins, versions, publishers.
///
/// - SeeAlso: `docs/threat-model.md`, the malicious update.
struct InstallGuards {
    let options: InstallOptions
    let lock: PluginLockFile
    /// Plugins that are part of the server.
    let coreIDs: Set<String>
    let judge: any PackageJudge

    /// Before anything is fetched.
    func checkID(_ id: String, version: String?, present: InstalledPlugin?) throws {
        try PluginID.check(id)
        guard !coreIDs.contains(id) else {
            throw CatalogError(
                .corePlugin, "Cannot install or change a Core plugin",
                remedy: "'\(id)' comes with the server; [plugin.\(id)] as_external = true makes room for another one")
        }
        guard let present else { return }
        if present.isLinked {
            throw CatalogError(
                .folderFailed,
                "'\(present.folder)': it is a link to a folder elsewhere, as for development; remove the link first")
        }
        if let version, version == present.facts.version, !options.reinstalls {
            throw CatalogError(
                .alreadyInstalled, "Plugin \(id) v\(version) already installed.",
                remedy: "--force puts it in place again")
        }
        if lock.plugins[id]?.isPinned == true, version != present.facts.version, options.locked[id] == nil {
            throw CatalogError(
                .versionPinned,
                "plugin '\(id)': it is pinned to version \(present.facts.version); let it go with: grafana-cli plugins "
                    + "unpin \(id)")
        }
    }

    /// When the package is at hand.
    func check(_ package: StagedPackage, present: InstalledPlugin?) throws {
        let (id, version) = (package.facts.id, package.facts.version)
        let isSame = present?.facts.version == version && lock.plugins[id]?.treeHash == package.treeHash
        // A file may be a fresh build of the version that is there.
        let isNewBuild = if case .package = package.subject { !isSame } else { false }
        try checkID(id, version: isNewBuild ? nil : version, present: present)
        if let present, SemanticVersion.isOlder(version, than: present.facts.version), !options.allowsDowngrade {
            throw CatalogError(
                .downgradeRefused,
                "plugin '\(id)': \(version) is older than the installed \(present.facts.version); take it back with: "
                    + "grafana-cli plugins rollback \(id), or allow it with --allow-downgrade")
        }
        try checkPublisher(package)
    }

    private func checkPublisher(_ package: StagedPackage) throws {
        let (id, new) = (package.facts.id, package.publisher.pin)
        guard let pin = lock.publishers[id], pin != new, !options.allowsNewPublisher else { return }
        // A plugin that was unsigned may become a signed one, and a key have a successor.
        if pin == LockedPlugin.Publisher.unsignedPin || judge.isSamePublisher(pin, new) { return }
        // The pin may be of an earlier version than the one that is there.
        let known = lock.plugins[id]?.publisher
        let before = known?.pin == pin ? known?.owner.map { " (\($0))" } ?? "" : ""
        throw CatalogError(
            .publisherChanged,
            "plugin '\(id)': it was signed by the key \(pin)\(before) and now is "
                + (new == LockedPlugin.Publisher.unsignedPin ? "unsigned" : "signed by \(new)")
                + "; ask the publisher whether that is right, then allow it with --accept-publisher")
    }

    /// What was not granted before.
    func question(_ package: StagedPackage, present: InstalledPlugin?) -> PermissionQuestion? {
        let granted = lock.plugins[package.facts.id]?.permissions ?? present?.facts.permissions ?? []
        let wanted = package.facts.permissions.filter { !granted.contains($0) }
        guard !wanted.isEmpty else { return nil }
        return PermissionQuestion(
            id: package.facts.id, version: package.facts.version, wanted: wanted, isUpdate: present != nil)
    }
}
