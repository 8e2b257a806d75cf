// SPDX-License-Identifier: Apache-2.0
import Crypto
import FoundationEssentials
import Storage
import Synchronization

/// Remembers who is behind credentials, since checking a password takes milliseconds on purpose and every request of a
/// dashboard asks again.
///
/// Who it was is taken for granted for two seconds, so that a user who is disabled through another server is out that
/// soon; that a password was right, for a minute. It keeps a keyed hash, never the credentials. A changed password and
/// an ended session on this server empty it. A user who was changed elsewhere since, by the command line for example, has
/// to show the password again.
final class CredentialCache: Sendable {
    private struct Entry {
        var identity: Identity
        var freshUntil: ContinuousClock.Instant
        var until: ContinuousClock.Instant
    }

    private static let lifetime = Duration.seconds(60)
    private static let capacity = 4096

    private let freshness: Duration
    private let key = SymmetricKey(size: .bits256)
    private let entries = Mutex<[Data: Entry]>([:])
    /// Counts the times it was emptied, so that a look-up that began before is not remembered after.
    private let changes = Mutex(0)

    /// What is known of credentials.
    enum Knowledge {
        case identity(Identity)
        /// They were right for the user as it was then; who the user is now has to be looked up.
        case user(User)
        case nothing
    }

    /// - Parameter freshness: How long who it was is taken for granted.
    init(freshness: Duration = .seconds(2)) {
        self.freshness = freshness
    }

    /// To be given to ``remember(_:as:since:isVerified:)``.
    var change: Int { changes.withLock { $0 } }

    func knowledge(of credentials: String) -> Knowledge {
        let mark = mark(credentials)
        let now = ContinuousClock.now
        return entries.withLock { entries in
            guard let entry = entries[mark] else { return .nothing }
            if entry.freshUntil > now { return .identity(entry.identity) }
            if entry.until > now, let user = entry.identity.user { return .user(user) }
            entries[mark] = nil
            return .nothing
        }
    }

    /// - Parameter isVerified: Whether the credentials themselves were checked just now.
    func remember(_ credentials: String, as identity: Identity, since change: Int, isVerified: Bool) {
        let mark = mark(credentials)
        let now = ContinuousClock.now
        entries.withLock { entries in
            guard changes.withLock({ $0 }) == change else { return }
            if entries.count >= Self.capacity { entries.removeAll() }
            let until = isVerified ? now + Self.lifetime : entries[mark]?.until ?? now
            entries[mark] = Entry(identity: identity, freshUntil: now + freshness, until: until)
        }
    }

    func removeAll() {
        entries.withLock { entries in
            changes.withLock { $0 += 1 }
            entries.removeAll()
        }
    }

    private func mark(_ credentials: String) -> Data {
        Data(HMAC<SHA256>.authenticationCode(for: Data(credentials.utf8), using: key))
    }
}
