// SPDX-License-Identifier: Apache-2.0
import Glibc

/// What the fuzzers are called in the variable FUZZ_TARGET.
private let target: @Sendable (UnsafeBufferPointer<UInt8>) -> Void = {
    switch getenv("FUZZ_TARGET").map({ String(cString: $0) }) {
    case "GoHandshake": fuzzHandshake
    case "GoLogLine": fuzzLogLine
    case "GoMessages": fuzzMessages
    case "GoQueryAnswer": fuzzQueryAnswer
    default: fatalError("set FUZZ_TARGET to GoHandshake, GoLogLine, GoMessages or GoQueryAnswer")
    }
}()

/// The entry that libFuzzer calls for each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    target(UnsafeBufferPointer(start: bytes, count: count))
    return 0
}
