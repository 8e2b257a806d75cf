// SPDX-License-Identifier: Apache-2.0
import Glibc

/// What the fuzzers of catalogues are called in the variable FUZZ_TARGET.
private let target: @Sendable ([UInt8]) -> Void = {
    switch getenv("FUZZ_TARGET").map({ String(cString: $0) }) {
    case "Archive": fuzzArchive
    case "CatalogIndex": fuzzCatalogIndex
    case "CatalogAnswer": fuzzCatalogAnswer
    case "LockFile": fuzzLockFile
    case "PackageFacts": fuzzPackageFacts
    case "VersionRange": fuzzVersionRange
    default:
        fatalError(
            "set FUZZ_TARGET to Archive, CatalogIndex, CatalogAnswer, LockFile, PackageFacts or VersionRange")
    }
}()

/// The entry that libFuzzer calls for each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    target(Array(UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}
