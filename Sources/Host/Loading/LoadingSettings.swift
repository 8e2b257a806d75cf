// SPDX-License-Identifier: Apache-2.0

/// The settings of `[plugins]` and `[plugin.<id>]` that the loading pipeline obeys.
public struct LoadingSettings: Sendable, Equatable {
    /// `app_mode = development`: unsigned plugins load, and files may come and go after discovery.
    public var isDevelopment = false
    /// `[plugins] allow_loading_unsigned_plugins`.
    public var unsignedIDs: Set<String> = []
    /// `[plugins] disable_plugins`.
    public var disabledIDs: Set<String> = []
    /// The ids whose section `[plugin.<id>]` says `as_external = true`.
    public var coreIDsAsExternal: Set<String> = []
    /// Plugins of other types are left out, with their bundle.
    public var permittedTypes: Set<PluginType> = [.datasource, .panel, .app, .renderer]
    /// The path of `[server] root_url` when the server runs below one, such as `/grafana`; else empty.
    public var appSubURL = ""
    /// The file names of libraries and executables end with these.
    public var platform = Platform.current

    /// Production defaults: nothing unsigned, nothing disabled.
    public init() {}

    /// The setting that keeps a built-in plugin from running; nil when none does.
    func setting(leavingOut builtinID: String) -> String? {
        if disabledIDs.contains(builtinID) { return "[plugins] disable_plugins" }
        if coreIDsAsExternal.contains(builtinID) { return "[plugin.\(builtinID)] as_external" }
        return nil
    }

    /// Splits a list of ids as Grafana does: by commas and white space.
    public static func ids(_ text: String) -> Set<String> {
        Set(text.split { $0 == "," || $0.isWhitespace }.map(String.init))
    }
}

/// An operating system and processor by their Go names, as plugin packages use them.
public struct Platform: Sendable, Hashable, CustomStringConvertible {
    /// `linux`.
    public var os: String
    /// `amd64`, `arm64`, `arm`, `386`, `riscv64`.
    public var architecture: String
    /// The same processor as ELF knows it.
    public var machine: ELFImage.Machine

    /// Production defaults: nothing unsigned, nothing disabled.
    public init(os: String, architecture: String, machine: ELFImage.Machine) {
        self.os = os
        self.architecture = architecture
        self.machine = machine
    }

    /// `<os>_<arch>`, the end of file names.
    public var description: String { "\(os)_\(architecture)" }

    #if arch(x86_64)
    /// The platform that this server was built for.
    public static let current = Platform(os: "linux", architecture: "amd64", machine: .x86_64)
    #elseif arch(arm64)
    /// The platform that this server was built for.
    public static let current = Platform(os: "linux", architecture: "arm64", machine: .aarch64)
    #endif
}
