// SPDX-License-Identifier: Apache-2.0
import PluginHost
import Server
import Settings
import Signing
import Storage

/// Whom the server of some settings trusts, as a command beside it can tell: by the trust folder, and by the database where
/// this user may read it.
struct SettingsTrust: Sendable {
    /// The store; or why the server takes no signature as valid.
    let result: Result<TrustStore, SigningError>
    /// Whether the keys and revocations of the database are in it.
    let knowsDatabase: Bool
    /// What the operator should know: keys that are not used, a database that cannot be read here.
    let notices: [String]

    init(_ settings: Settings, _ plugins: PluginSettings) async {
        do {
            let database = try DatabaseAccess(settings: settings)
            guard FolderCheck.exists(database.path) else {
                self.init(folder: plugins.trustFolder, knowsDatabase: true, notices: [])
                return
            }
            let (store, problems) = try await database.looking {
                try await ServerTrust.store(folder: plugins.trustFolder, stores: $0)
            }
            self.init(result: .success(store), knowsDatabase: true, notices: problems)
        } catch let error as SigningError {
            self.init(result: .failure(error), knowsDatabase: true, notices: [])
        } catch {
            let reason = CommandFailure(error).message
            self.init(
                folder: plugins.trustFolder, knowsDatabase: false,
                notices: ["the keys and revocations of the database are not looked at: \(reason)"])
        }
    }

    private init(result: Result<TrustStore, SigningError>, knowsDatabase: Bool, notices: [String]) {
        self.result = result
        self.knowsDatabase = knowsDatabase
        self.notices = notices
    }

    private init(folder: String?, knowsDatabase: Bool, notices: [String]) {
        let current = ServerTrust.current(inFolder: folder)
        let result = Result { () throws(SigningError) in try current.store }
        self.init(result: result, knowsDatabase: knowsDatabase, notices: notices)
    }

    /// What the plugin platform judges signatures by.
    var current: CurrentTrust {
        switch result {
        case .success(let store): CurrentTrust(store)
        case .failure(let error): CurrentTrust(unreadable: error)
        }
    }
}
