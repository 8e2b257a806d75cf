// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import Testing

struct ArrowFileTests {
    @Test(arguments: FrameFixtures.names)
    func goldenFilesComeBackAsTheyWere(name: String) throws {
        let frame = try DataFrame(arrow: FrameFixtures.arrow(name))

        let copy = try DataFrame(arrow: frame.arrowFile())

        #expect(copy == frame)
        #expect(try ArrowStructs(frame).frame() == frame)
    }

    @Test func allTypesComeBack() throws {
        let frame = try frameOfAllTypes()

        #expect(try DataFrame(arrow: frame.arrowFile()) == frame)
    }

    @Test func slicesAreWrittenFromTheirFirstRow() throws {
        let frame = try frameOfAllTypes()
        var part = frame
        part.fields = frame.fields.map { Field($0.name, column: $0.column.slice(1..<3)) }

        let copy = try DataFrame(arrow: part.arrowFile())

        #expect(copy == part)
        #expect(copy.fields[10].column.string(at: 1) == "grüße")
    }

    @Test func theColumnsReferToTheFile() throws {
        let file = ArrowBuffer(copying: DataFrame(fields: [Field("v", [1.0, 2])]).arrowFile())

        let frame = try DataFrame(arrow: file)

        let start = try #require(file.pointer)
        let values = try #require(frame.fields[0].column.values.pointer)
        #expect(values > start && values < start + file.byteCount)
        #expect(Int(bitPattern: values) % 8 == 0)
    }

    @Test func aFrameWithoutRowsHasNoBatch() throws {
        let empty = DataFrame(name: "n", fields: [Field("v", column: Column(empty: .string, isNullable: true))])

        #expect(try DataFrame(arrow: empty.arrowFile()) == empty)
        #expect(try DataFrame(arrow: DataFrame().arrowFile()) == DataFrame())
    }

    @Test func pyarrowReadsWhatWeWrite() throws {
        try withTemporaryFolder { folder in
            for name in FrameFixtures.names {
                let frame = try DataFrame(arrow: FrameFixtures.arrow(name))
                try Data(frame.arrowFile()).write(to: folder.appending(path: "\(name).arrow"))
                var stream = ByteWriter()
                frame.writeArrowStream(into: &stream)
                try Data(stream.finish()).write(to: folder.appending(path: "\(name).stream"))
            }

            let report = try FrameChecker.run(["compare", FrameFixtures.folder.path, folder.path])

            #expect(report == "\(FrameFixtures.names.count) files compared, 0 differences\n")
        }
    }

    @Test func filesOfOtherProgramsAreRead() throws {
        try withTemporaryFolder { folder in
            try FrameChecker.run(["make", folder.path])
            func frame(_ name: String) throws -> DataFrame {
                try DataFrame(arrow: Array(Data(contentsOf: folder.appending(path: "\(name).arrow"))))
            }

            let texts: [String?] = ["", "a", nil, "a text of more than twelve bytes", "grüße"]
            for name in ["large-utf8", "utf8-view", "sliced", "several-batches", "v4", "legacy"] {
                #expect(try frame(name) == DataFrame(fields: [Field("v", texts)]), "\(name)")
            }
            let times = [Timestamp(seconds: 1), nil, Timestamp(seconds: -1)]
            for name in ["time-s", "time-ms", "time-us", "time-ns"] {
                #expect(try frame(name) == DataFrame(fields: [Field("v", times)]), "\(name)")
            }
            for name in ["bad-compressed", "bad-dictionary", "bad-list", "bad-decimal", "bad-time"] {
                #expect(throws: FrameError.self, "\(name)") { try frame(name) }
            }
        }
    }
}

/// Reads every value, so that a frame that leads outside its memory is found.
func readAll(_ frame: DataFrame) -> Int {
    frame.fields.reduce(frame.rowCount) { sum, field in
        (0..<field.count).reduce(sum) { sum, row in
            let number = field.column.double(at: row)?.bitPattern.trailingZeroBitCount
            return sum &+ (field.column.string(at: row)?.utf8.count ?? number ?? 1)
        }
    }
}

struct ArrowDamageTests {
    /// Reads damaged bytes; a ``FrameError`` or a frame will do, a crash or another error will not.
    private func read(_ bytes: [UInt8]) throws {
        do throws(FrameError) {
            let frame = try DataFrame(arrow: bytes)
            _ = readAll(frame)
        } catch {
            try #require(!error.message.isEmpty)
        }
    }

    @Test(arguments: FrameFixtures.smallNames)
    func truncatedFilesAreErrors(name: String) throws {
        let bytes = try FrameFixtures.arrow(name)

        for length in 0..<bytes.count {
            #expect(throws: FrameError.self) { try DataFrame(arrow: Array(bytes.prefix(length))) }
        }
    }

    @Test(arguments: FrameFixtures.smallNames, [0xff, 0x01, 0x80, 0x40] as [UInt8])
    func changedBytesNeverCrash(name: String, mask: UInt8) throws {
        var bytes = try FrameFixtures.arrow(name)

        for index in bytes.indices {
            bytes[index] ^= mask
            try read(bytes)
            bytes[index] ^= mask
        }
    }

    @Test(arguments: FrameFixtures.smallNames, [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff] as [UInt32])
    func absurdNumbersNeverCrash(name: String, number: UInt32) throws {
        let original = try FrameFixtures.arrow(name)

        for index in stride(from: 0, to: original.count - 8, by: 4) {
            var bytes = original
            withUnsafeBytes(of: number) { bytes.replaceSubrange(index..<(index + 4), with: $0) }
            try read(bytes)
            if number > 1 {
                // The upper half of a 64-bit number as well.
                withUnsafeBytes(of: number) { bytes.replaceSubrange((index + 4)..<(index + 8), with: $0) }
                try read(bytes)
            }
        }
    }

    @Test func tinyInputsAreErrors() {
        let magic = Array("ARROW1".utf8)
        for bytes in [[], [0], magic, magic + [0, 0] + magic, Array(repeating: 0xff, count: 64)] {
            #expect(throws: FrameError.self) { try DataFrame(arrow: bytes) }
        }
    }
}
