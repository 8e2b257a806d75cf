// SPDX-License-Identifier: Apache-2.0

/// A place that plugins come from by their ids.
protocol Repository: Sendable {
    /// Names the catalogue in messages and in plugins.lock.json; has no password.
    var location: String { get }

    /// Whether it is the operator's own, which may know which plugins he has.
    var isOwn: Bool { get }

    /// The versions of a plugin, newest first.
    ///
    /// - Throws: ``CatalogError`` `.pluginNotFound` and what fails on the way.
    func versions(of id: String) async throws -> [ListedVersion]

    /// The package of a version; nil for the newest.
    func offer(_ id: String, version: String?) async throws -> Offer

    /// Every plugin.
    func plugins() async throws -> [ListedPlugin]

    /// The newest versions of the plugins that the catalogue knows.
    func newest(of ids: [String]) async throws -> [String: String]
}

/// The catalogues in their order: the first that has an id is the one that it comes from.
///
/// A catalogue that fails ends the search; the next one is no substitute, since anybody could offer the id there.
public struct PackageSources: Sendable {
    let repositories: [any Repository]

    init(_ repositories: [any Repository]) { self.repositories = repositories }

    func offer(_ id: String, version: String?) async throws -> Offer {
        try await first(id) { try await $0.offer(id, version: version) }
    }

    /// The versions of a plugin, newest first, and the catalogue that has them.
    ///
    /// - Throws: ``CatalogError`` `.pluginNotFound` and what fails on the way.
    public func versions(of id: String) async throws -> [ListedVersion] {
        try PluginID.check(id)
        return try await first(id) { try await $0.versions(of: id) }
    }

    /// Every plugin of all catalogues, sorted by id; of two with one id, the one that would be installed.
    ///
    /// - Parameter failed: Gets why a catalogue gives none, when another one does.
    /// - Throws: ``CatalogError`` of the first, when no catalogue gives any.
    public func plugins(failed: (CatalogError) -> Void) async throws -> [ListedPlugin] {
        var found: [String: ListedPlugin] = [:]
        var failures: [CatalogError] = []
        for repository in repositories {
            do {
                for plugin in try await repository.plugins() where found[plugin.id] == nil { found[plugin.id] = plugin }
            } catch let error as CatalogError {
                failures.append(error)
            }
        }
        if let first = failures.first, failures.count == repositories.count { throw first }
        failures.forEach(failed)
        return found.values.sorted { $0.id < $1.id }
    }

    /// The newest versions of those plugins that a catalogue knows, and why a catalogue told none.
    ///
    /// Once one has failed, only the operator's own are asked: the ids that are left may be private.
    public func newest(of ids: [String]) async throws -> (versions: [String: String], failures: [CatalogError]) {
        var found: [String: String] = [:]
        var failures: [CatalogError] = []
        for repository in repositories where failures.isEmpty || repository.isOwn {
            let rest = ids.filter { found[$0] == nil }
            if rest.isEmpty { break }
            do {
                found.merge(try await repository.newest(of: rest)) { first, _ in first }
            } catch let error as CatalogError {
                failures.append(error)
            }
        }
        return (found, failures)
    }

    private func first<Value>(_ id: String, _ ask: (any Repository) async throws -> Value) async throws -> Value {
        var missing: [String] = []
        var last: CatalogError?
        for repository in repositories {
            do {
                return try await ask(repository)
            } catch let error as CatalogError where error.code == .pluginNotFound {
                missing.append("'\(repository.location)'")
                // A catalogue that tells what else there is has the better words.
                last = last ?? error
            } catch let error as CatalogError where error.code == .catalogUnreachable && !missing.isEmpty {
                throw CatalogError(
                    error.code, "plugin '\(id)': it is not in \(missing.joined(separator: ", ")), and \(error.message)",
                    remedy: error.remedy, catalogStatus: error.catalogStatus)
            }
        }
        throw last
            ?? CatalogError(.pluginNotFound, "plugin '\(id)': no catalogue is configured; give --repo or --catalog")
    }
}

extension PackageSources {
    /// The words for an id that a catalogue does not have.
    ///
    /// - Parameter known: What it has, for a hint; empty when that is not known.
    static func notFound(_ id: String, _ location: String, known: [String] = []) -> CatalogError {
        let hint = NearestID.nearest(to: id, among: known).map { "did you mean '\($0)'?" }
        return CatalogError(
            .pluginNotFound,
            "plugin '\(id)': plugin not found in '\(location)'; \(hint ?? "find it with: grafana-cli plugins search WORD")",
            catalogStatus: 404)
    }
}

/// Finds what a mistyped id was probably meant to be.
enum NearestID {
    /// The candidate with the fewest edits, if they are few for its length.
    static func nearest(to id: String, among candidates: [String]) -> String? {
        let limit = max(1, id.utf8.count / 4)
        let scored = candidates.sorted().map { ($0, distance(Array(id.utf8), Array($0.utf8))) }
        return scored.filter { $0.1 <= limit }.min { $0.1 < $1.1 }?.0
    }

    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var row = Array(0...right.count)
        for (index, byte) in left.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in right.indices {
                let change = diagonal + (byte == right[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(change, row[column] + 1, diagonal + 1)
            }
        }
        return row[right.count]
    }
}
