// SPDX-License-Identifier: Apache-2.0
import Crypto
import FoundationEssentials
import Synchronization

/// Remembers for a minute which basic credentials were right, since checking a password takes milliseconds on purpose.
///
/// It keeps a keyed hash, never the password. A change of any password on this server empties it.
final class CredentialCache: Sendable {
    private struct Entry {
        var userID: Int64
        var until: ContinuousClock.Instant
    }

    private static let lifetime = Duration.seconds(60)
    private static let capacity = 4096

    private let key = SymmetricKey(size: .bits256)
    private let entries = Mutex<[Data: Entry]>([:])

    /// The user of the credentials if they were right a short while ago.
    func userID(of credentials: String) -> Int64? {
        let mark = mark(credentials)
        let now = ContinuousClock.now
        return entries.withLock { entries in
            guard let entry = entries[mark] else { return nil }
            guard entry.until > now else {
                entries[mark] = nil
                return nil
            }
            return entry.userID
        }
    }

    func remember(_ credentials: String, userID: Int64) {
        let mark = mark(credentials)
        let entry = Entry(userID: userID, until: ContinuousClock.now + Self.lifetime)
        entries.withLock { entries in
            if entries.count >= Self.capacity { entries.removeAll() }
            entries[mark] = entry
        }
    }

    func removeAll() {
        entries.withLock { $0.removeAll() }
    }

    private func mark(_ credentials: String) -> Data {
        Data(HMAC<SHA256>.authenticationCode(for: Data(credentials.utf8), using: key))
    }
}
