// SPDX-License-Identifier: Apache-2.0

/// A setting or a settings file that cannot be used.
public struct SettingsError: Error, Sendable, CustomStringConvertible {
    /// The class of failure; tests compare it.
    public var code: Code
    /// Place, fact and remedy, for a person.
    ///
    /// Holds no value of a setting whose name says that it is secret.
    public var message: String

    /// Creates an error.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The code and the message.
    public var description: String { "\(code.rawValue): \(message)" }

    /// A stable class of failure.
    public struct Code: RawRepresentable, Hashable, Sendable {
        /// The kebab-case name that the documents use.
        public var rawValue: String

        /// Creates a code from its kebab-case name.
        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// A file that must exist does not, or cannot be read.
        public static let fileUnreadable = Self(rawValue: "settings-file-unreadable")
        /// A line of a file is neither section, key nor comment.
        public static let syntax = Self(rawValue: "settings-syntax")
        /// An argument of the command line is not of the form `cfg:section.key=value`.
        public static let badOverride = Self(rawValue: "settings-override")
        /// A variable is given both by value and by file.
        public static let conflictingVariables = Self(rawValue: "settings-conflicting-variables")
        /// A `$__…{}` or `%(…)s` in a value cannot be replaced.
        public static let expansion = Self(rawValue: "settings-expansion")
        /// A value is not of the type that its key has.
        public static let badValue = Self(rawValue: "settings-value")
    }
}

/// Something odd about the settings that does not stop the server.
public struct SettingsWarning: Sendable, Equatable, CustomStringConvertible {
    /// Where it is, such as `conf/custom.ini:12` or a variable's name.
    public var origin: SettingsOrigin
    /// Fact and remedy, for a person.
    public var message: String

    /// The place and the message.
    public var description: String { "\(origin): \(message)" }
}

/// Where a value comes from.
public enum SettingsOrigin: Sendable, Equatable, CustomStringConvertible {
    /// A line of a file, from 1.
    case file(path: String, line: Int)
    /// An environment variable.
    case environment(String)
    /// An argument of the command line.
    case commandLine(String)

    /// The place in words.
    public var description: String {
        switch self {
        case .file(let path, let line): "\(path):\(line)"
        case .environment(let name): "environment variable \(name)"
        case .commandLine(let argument): "argument \(argument)"
        }
    }
}
