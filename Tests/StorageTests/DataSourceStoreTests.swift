// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Storage

struct DataSourceStoreTests {
    private func fields(_ name: String, isDefault: Bool = false) -> DataSourceFields {
        var fields = DataSourceFields(name: name, type: "prometheus")
        fields.isDefault = isDefault
        return fields
    }

    @Test func allFieldsComeBack() async throws {
        try await withStores { stores, clock in
            var wanted = DataSourceFields(name: "Pröm", type: "prometheus")
            wanted.access = "direct"
            wanted.url = "http://localhost:9090"
            wanted.user = "u"
            wanted.database = "d"
            wanted.basicAuth = true
            wanted.basicAuthUser = "b"
            wanted.withCredentials = true
            wanted.isDefault = true
            wanted.apiVersion = "v1"
            wanted.jsonData = "{\"httpMethod\":\"POST\"}"
            let added = try await stores.dataSources.add(
                orgID: 1, wanted, uid: "my-uid", secrets: ["b": Secret("1"), "a": Secret("2")], isReadOnly: true)

            #expect(added.fields == wanted)
            #expect(added.uid == "my-uid" && added.version == 1 && added.isReadOnly && added.orgID == 1)
            #expect(added.secureFieldNames == ["a", "b"])
            #expect(added.created == clock.clock.now())
            for key in [DataSourceKey.id(added.id), .uid("my-uid"), .name("Pröm")] {
                #expect(try await stores.dataSources.find(orgID: 1, key) == added)
            }
        }
    }

    @Test func generatedUIDsAreSafe() async throws {
        try await withStores { stores, _ in
            let uid = try await stores.dataSources.add(orgID: 1, fields("a"), uid: "").uid

            #expect(uid.wholeMatch(of: /[a-z][a-z0-9]{13}/) != nil)
        }
    }

    @Test func namesAndUIDsAreUniqueInAnOrganisation() async throws {
        try await withStores { stores, _ in
            let other = try await stores.orgs.create(name: "other").id
            _ = try await stores.dataSources.add(orgID: 1, fields("a"), uid: "u")
            _ = try await stores.dataSources.add(orgID: other, fields("a"), uid: "u")
            let name = try await storageErrorCode { _ = try await stores.dataSources.add(orgID: 1, fields("a")) }
            let uid = try await storageErrorCode {
                _ = try await stores.dataSources.add(orgID: 1, fields("b"), uid: "u")
            }
            let second = try await stores.dataSources.add(orgID: 1, fields("b"))
            let rename = try await storageErrorCode {
                _ = try await stores.dataSources.update(orgID: 1, .id(second.id), DataSourceUpdate(fields: fields("a")))
            }

            #expect(name == .nameExists)
            #expect(uid == .uidExists)
            #expect(rename == .nameExists)
        }
    }

    @Test func oneSourceIsTheDefault() async throws {
        try await withStores { stores, _ in
            _ = try await stores.dataSources.add(orgID: 1, fields("a", isDefault: true))
            let second = try await stores.dataSources.add(orgID: 1, fields("b", isDefault: true))
            #expect(try await stores.dataSources.findDefault(orgID: 1)?.id == second.id)
            _ = try await stores.dataSources.update(
                orgID: 1, .name("a"), DataSourceUpdate(fields: fields("a", isDefault: true)))

            let all = try await stores.dataSources.list(orgID: 1)
            #expect(all.map(\.fields.name) == ["a", "b"])
            #expect(all.map(\.fields.isDefault) == [true, false])
        }
    }

    @Test func staleVersionsAreRefused() async throws {
        try await withStores { stores, _ in
            let added = try await stores.dataSources.add(orgID: 1, fields("a"))
            var update = DataSourceUpdate(fields: fields("a2"))
            update.expectedVersion = added.version
            let first = try await stores.dataSources.update(orgID: 1, .uid(added.uid), update)
            let stale = try await storageErrorCode {
                _ = try await stores.dataSources.update(orgID: 1, .uid(added.uid), update)
            }

            #expect(first.version == 2)
            #expect(stale == .versionMismatch)
        }
    }

    @Test func ofManyUpdatesWithOneVersionOneWins() async throws {
        try await withStores { stores, _ in
            let added = try await stores.dataSources.add(orgID: 1, fields("a"))
            let codes = try await withThrowingTaskGroup(of: StorageError.Code?.self) { group in
                for number in 0..<10 {
                    group.addTask {
                        var update = DataSourceUpdate(fields: fields("n\(number)"))
                        update.expectedVersion = 1
                        return try await storageErrorCode { [update] in
                            _ = try await stores.dataSources.update(orgID: 1, .id(added.id), update)
                        }
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }

            #expect(codes.count { $0 == nil } == 1)
            #expect(codes.count { $0 == .versionMismatch } == 9)
        }
    }

    @Test func secretsThatAreNotNamedStay() async throws {
        try await withStores { stores, _ in
            let added = try await stores.dataSources.add(
                orgID: 1, fields("a"), secrets: ["keep": Secret("k"), "change": Secret("c")])
            var update = DataSourceUpdate(fields: fields("a"))
            update.uid = "renamed"
            update.secrets = ["change": Secret("")]
            var updated = try await stores.dataSources.update(orgID: 1, .id(added.id), update)
            #expect(try await stores.dataSources.secrets(of: updated) == ["keep": Secret("k"), "change": Secret("")])

            update.replacesAllSecrets = true
            update.secrets = ["only": Secret("o")]
            updated = try await stores.dataSources.update(orgID: 1, .uid("renamed"), update)
            #expect(updated.secureFieldNames == ["only"])
        }
    }

    @Test func readOnlySourcesChangeByProvisioningOnly() async throws {
        try await withStores { stores, _ in
            let added = try await stores.dataSources.add(orgID: 1, fields("a"), isReadOnly: true)
            var update = DataSourceUpdate(fields: fields("b"))
            let refused = try await storageErrorCode { [update] in
                _ = try await stores.dataSources.update(orgID: 1, .id(added.id), update)
            }
            let notDeleted = try await storageErrorCode { try await stores.dataSources.delete(orgID: 1, .id(added.id)) }
            update.isProvisioning = true
            let changed = try await stores.dataSources.update(orgID: 1, .id(added.id), update)
            try await stores.dataSources.delete(orgID: 1, .id(added.id), isProvisioning: true)

            #expect(refused == .readOnly && notDeleted == .readOnly)
            #expect(changed.isReadOnly && changed.fields.name == "b")
        }
    }

    @Test func idsOfDeletedSourcesDoNotComeBack() async throws {
        try await withStores { stores, _ in
            let first = try await stores.dataSources.add(orgID: 1, fields("a"))
            try await stores.dataSources.delete(orgID: 1, .name("a"))
            let gone = try await storageErrorCode { _ = try await stores.dataSources.find(orgID: 1, .id(first.id)) }
            let second = try await stores.dataSources.add(orgID: 1, fields("a"))

            #expect(gone == .notFound)
            #expect(second.id > first.id)
        }
    }

    @Test func otherOrganisationsDoNotSee() async throws {
        try await withStores { stores, _ in
            let other = try await stores.orgs.create(name: "other").id
            let added = try await stores.dataSources.add(orgID: 1, fields("a"))
            let code = try await storageErrorCode { _ = try await stores.dataSources.find(orgID: other, .id(added.id)) }

            #expect(code == .notFound)
        }
    }

    @Test(arguments: ["", "a b", "a/b", String(repeating: "a", count: 41), "ü", "a\u{0}"])
    func badUIDsAreRefused(uid: String) async throws {
        try await withStores { stores, _ in
            var update = DataSourceUpdate(fields: fields("a"))
            update.uid = uid
            _ = try await stores.dataSources.add(orgID: 1, fields("a"))
            let code = try await storageErrorCode { [update] in
                _ = try await stores.dataSources.update(orgID: 1, .name("a"), update)
            }

            #expect(code == .invalidValue)
        }
    }

    @Test func badFieldsAreRefused() async throws {
        try await withStores { stores, _ in
            var odd = fields("a")
            odd.access = "sideways"
            let noType = DataSourceFields(name: "a", type: "")
            for bad in [fields(""), fields(String(repeating: "x", count: 191)), noType, odd] {
                let code = try await storageErrorCode { _ = try await stores.dataSources.add(orgID: 1, bad) }
                #expect(code == .invalidValue)
            }
            let noOrg = try await storageErrorCode { _ = try await stores.dataSources.add(orgID: 99, fields("a")) }
            #expect(noOrg == .constraintViolation)
        }
    }
}
