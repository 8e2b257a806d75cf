// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Commands

/// The bar of `grafana-sign` on a terminal.
struct ProgressLineTests {
    @Test(arguments: [
        (0, 10_000, "[                              ]   0 %  0 of 10000 files"),
        (3_300, 10_000, "[#########                     ]  33 %  3300 of 10000 files"),
        (10_000, 10_000, "[##############################] 100 %  10000 of 10000 files"),
    ])
    func theBarIsAsLongAsWhatIsDone(count: Int, total: Int, text: String) {
        #expect(ProgressLine.text(count: count, total: total) == text)
    }
}
