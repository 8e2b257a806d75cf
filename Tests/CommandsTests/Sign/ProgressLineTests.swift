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

    @Test(arguments: [
        (UInt64(4_200_000), UInt64?(12_000_000), Double?(2_100_000), "it  4.2 of 12.0 MB  35%  2.1 MB/s"),
        (5, nil, nil, "it  0.0 MB"), (.max, 1, nil, "it  18446744073709.5 of 0.0 MB  100%"),
    ])
    func aDownloadSaysHowFarItIs(bytes: UInt64, whole: UInt64?, rate: Double?, text: String) {
        #expect(ProgressText.text("it", bytes, whole, rate: rate) == text)
    }

    @Test(arguments: [
        (Int64(1_780_272_000), "2026-06-01T00:00:00Z"), (.max, "9223372036854775807 s since 1970"),
    ])
    func everyTimeCanBeShown(seconds: Int64, text: String) {
        #expect(SigningClock.text(seconds: seconds) == text)
    }
}
