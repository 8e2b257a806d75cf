// SPDX-License-Identifier: Apache-2.0
import Glibc

/// What the fuzzers are called in the variable FUZZ_TARGET.
private let target: @Sendable (UnsafeBufferPointer<UInt8>) -> Void = {
    switch getenv("FUZZ_TARGET").map({ String(cString: $0) }) {
    case "ArrowFile": fuzzArrowFile
    case "FrameJSON": fuzzFrameJSON
    case "JSONText": fuzzJSONText
    case "SharedBatch": fuzzSharedBatch
    case "MathText": fuzzMathText
    default: fatalError("set FUZZ_TARGET to ArrowFile, FrameJSON, JSONText, SharedBatch or MathText")
    }
}()

/// The entry that libFuzzer calls for each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    target(UnsafeBufferPointer(start: bytes, count: count))
    return 0
}
