// SPDX-License-Identifier: Apache-2.0

/// Reads an element that is not there.
@_cdecl("trap_in_swift")
public func trapInSwift(_ index: Int32) -> Int32 {
    let numbers: [Int32] = [1, 2, 3]
    return numbers[Int(index)]
}
