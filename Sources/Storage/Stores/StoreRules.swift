// SPDX-License-Identifier: Apache-2.0

/// The longest name that an index of all three databases takes.
private let nameLimit = 190

/// Refuses an empty or too long name.
func checkName(_ name: String, of kind: String) throws {
    guard !name.isEmpty else { throw StorageError(.invalidValue, "\(kind): it has no name; give one") }
    guard name.unicodeScalars.count <= nameLimit else {
        throw StorageError(
            .invalidValue, "\(kind): its name is longer than \(nameLimit) characters; give a shorter one")
    }
}

/// Refuses a uid that is empty, longer than 40 characters, or has other characters than letters, digits, `-` and `_`.
func checkUID(_ uid: String, of kind: String) throws {
    let isValid = uid.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
    guard isValid, (1...40).contains(uid.utf8.count) else {
        throw StorageError(
            .invalidValue, "\(kind): its uid must be 1 to 40 letters, digits, '-' or '_'; give another one or none")
    }
}

/// Runs a write and tells a violated unique index by what it means for this kind of object.
func renamingUniqueViolation<Value>(of kind: String, name: String, uid: String?, _ body: () throws -> Value) throws
    -> Value
{
    do {
        return try body()
    } catch let error as StorageError where error.code == .uniqueViolation {
        // The index is named after its columns, with the one that matters last.
        if let uid, error.constraint?.hasSuffix("uid") == true {
            throw StorageError(
                .uidExists, "\(kind): the uid '\(uid)' is taken; choose another uid", constraint: error.constraint)
        }
        throw StorageError(
            .nameExists, "\(kind): the name '\(name)' is taken; choose another name", constraint: error.constraint)
    }
}

/// The one part of a text that `LIKE` must not read as a pattern, ready for `LIKE ? ESCAPE '!'`.
func containsPattern(_ text: String) -> SQLValue {
    let escaped = text.map { "!%_".contains($0) ? "!\($0)" : "\($0)" }.joined()
    return .text("%\(escaped)%")
}
