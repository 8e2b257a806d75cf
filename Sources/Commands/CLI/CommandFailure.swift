// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Catalog
import PluginABI
import Settings
import Signing
import Storage

/// How a command ended, as the shell sees it.
///
/// - SeeAlso: BSD `sysexits.h`.
enum ExitStatus: Int32, Sendable {
    case findings = 1
    case usage = 64
    case badData = 65
    case unavailable = 69
    case fault = 70
    case inputOutput = 74
    case tryAgain = 75
    case refused = 77
    case configuration = 78
    case interrupted = 130
}

/// A failure that ends a command.
struct CommandFailure: Error, Sendable, Equatable {
    /// The class of failure; scripts and tests compare it.
    var status: ExitStatus
    /// Subject, fact, remedy.
    var message: String

    init(_ status: ExitStatus, _ message: String) {
        self.status = status
        self.message = message
    }

    /// The failure for any error of the modules below.
    init(_ error: any Error) {
        switch error {
        case let failure as CommandFailure: self = failure
        case let refusal as ServerRefusal: self = refusal.failure
        case let error as SettingsError: self.init(.configuration, "\(error.message) [\(error.code.rawValue)]")
        case let error as StorageError:
            self.init(Self.status(of: error.code), "\(error.message) [\(error.code.rawValue)]")
        case let error as SigningError:
            self.init(Self.status(of: error.code), "\(error.message) [\(error.code.rawValue)]")
        case let error as CatalogError: self.init(Self.status(of: error.code), error.description)
        case let error as FrameError: self.init(.badData, "answer: \(error.message); report it to the plugin's author")
        case let error as JSONError: self.init(.badData, "answer: it is not JSON (\(error)); check --url")
        case is CancellationError: self.init(.interrupted, "interrupted")
        default:
            self.init(.fault, "unexpected error \(error); please report it with the command that you gave")
        }
    }

    private static func status(of code: SigningError.Code) -> ExitStatus {
        switch code {
        case .fileUnreadable, .fileUnwritable: .inputOutput
        case .linkOutside, .fileSpecial, .passphraseWrong, .statementUntrusted, .revocationsRolledBack: .refused
        case .trustStoreMalformed: .configuration
        case .trustFolderBusy: .tryAgain
        case .openPGPFailure: .fault
        default: .badData
        }
    }

    static func status(of code: CatalogError.Code) -> ExitStatus {
        switch code {
        case .idInvalid: .usage
        case .catalogUnreachable, .downloadFailed: .unavailable
        case .folderFailed: .inputOutput
        case .folderBusy: .tryAgain
        case .corePlugin, .catalogRefused, .catalogUntrusted, .catalogExpired, .catalogRolledBack, .signatureRefused,
            .publisherChanged, .downgradeRefused, .permissionsRefused, .versionPinned, .serverRefused:
            .refused
        default: .badData
        }
    }

    private static func status(of code: StorageError.Code) -> ExitStatus {
        switch code {
        case .databaseLocked, .closed: .tryAgain
        case .cannotOpen, .diskFull, .readOnly: .inputOutput
        case .wrongSecretKey: .configuration
        default: .badData
        }
    }
}

/// A command that ends with one of the codes of ``ExitStatus``, its failure on standard error.
protocol ReportingCommand: AsyncParsableCommand {
    /// Does the work.
    ///
    /// Throws any error; ``CommandFailure`` says the exit code.
    func perform() async throws
}

extension ReportingCommand {
    mutating func run() async throws {
        do {
            try await perform()
        } catch let code as ExitCode {
            throw code
        } catch {
            let failure = CommandFailure(error)
            Terminal.report("error", failure.message)
            throw ExitCode(failure.status.rawValue)
        }
    }
}
