// SPDX-License-Identifier: Apache-2.0
internal import Processes

/// Where the control groups of plugins' processes are made; `[plugins] control_groups` in the configuration.
public enum ControlGroupPlace: Sendable, Equatable {
    /// In the server's own group, if whoever started the server gave it away.
    case delegated
    /// In a folder of the system's.
    case folder(String)
    /// Nowhere: processes have the limits that each can set itself.
    case none

    /// Reads the setting: `auto`, `off`, or an absolute path; nil for anything else.
    public init?(setting: String) {
        switch setting {
        case "auto": self = .delegated
        case "off": self = .none
        case let path where path.hasPrefix("/"): self = .folder(path)
        default: return nil
        }
    }

    var place: ControlGroups.Place {
        switch self {
        case .delegated: .delegated
        case .folder(let path): .folder(path)
        case .none: .none
        }
    }
}
