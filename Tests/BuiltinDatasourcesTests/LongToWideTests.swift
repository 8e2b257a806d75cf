// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import BuiltinDatasources

/// Rows to series, against what the SDK for Go made of the same rows.
struct LongToWideTests {
    /// The cases whose missing values are null, as the SQL sources ask for, and whose labels are texts.
    private static let cases =
        (try? Fixtures.json("sdk/long_wide.json").array)?.filter { entry in
            entry["fill"] == "null" && entry["inputType"] == "long" && entry["case"] != "bool_dim"
                && entry["case"] != "empty"
        } ?? []

    private static let query = SQLQuery(
        refID: "A", text: SQLText("select"), format: .timeSeriesFrames, from: Timestamp(nanoseconds: 0),
        to: Timestamp(nanoseconds: 0), timeColumns: ["time"], convertsValues: false)

    private static func frame(_ value: JSONValue?) throws -> DataFrame {
        try DataFrame(json: Array((value ?? .null).encoded().utf8))
    }

    private static func rows(_ frame: DataFrame, _ range: Range<Int>? = nil) throws -> SQLRows {
        let wanted = range.map { $0.map(Optional.init) } ?? (0..<frame.rowCount).map(Optional.init)
        var rows = SQLRows(
            names: frame.fields.map(\.name),
            batch: SQLBatch(
                columns: frame.fields.map { $0.column.gathering(wanted) }, rowCount: wanted.count, isLast: true))
        try rows.convertTimes(query)
        return rows
    }

    @Test func casesAreThere() {
        #expect(Self.cases.count >= 7)
    }

    @Test(arguments: cases)
    func seriesAreThoseOfTheSDK(entry: JSONValue) throws {
        let input = try Self.frame(entry["input"])
        let error = entry["error"]?.string ?? ""
        var long = LongToWide(try Self.rows(input))
        guard error.isEmpty else {
            let thrown = #expect(throws: PluginError.self) { try long.add(Self.rows(input)) }
            #expect(thrown?.message.hasSuffix(error) == true)
            return
        }
        let expected = try Self.frame(entry["wide"])

        try long.add(Self.rows(input))
        let wide = try long.finish(namesSeries: false)

        #expect(wide.fields == expected.fields)
    }

    /// Where a batch ends changes nothing.
    @Test(arguments: cases.filter { $0["error"] == "" })
    func batchesMakeNoDifference(entry: JSONValue) throws {
        let input = try Self.frame(entry["input"])
        var whole = LongToWide(try Self.rows(input))
        try whole.add(Self.rows(input))
        for split in 0...input.rowCount {
            var parts = LongToWide(try Self.rows(input))
            try parts.add(Self.rows(input, 0..<split))
            try parts.add(Self.rows(input, split..<input.rowCount))
            let (joined, expected) = (try parts.finish(namesSeries: false), try whole.finish(namesSeries: false))
            #expect(joined == expected)
        }
    }

    /// A row each makes a series and a time: what they do not have in common is nulls, which take memory too.
    @Test func valuesThatAreMissingCount() throws {
        let count = 1000
        let columns = [
            Column((0..<count).map { Timestamp(nanoseconds: Int64($0)) }), Column((0..<count).map { "\($0)" }),
            Column((0..<count).map { Double($0) }),
        ]
        var rows = SQLRows(
            names: ["time", "id", "v"], batch: SQLBatch(columns: columns, rowCount: count, isLast: true))
        try rows.convertTimes(Self.query)
        var long = LongToWide(rows)

        try long.add(rows)

        #expect(long.byteCount > 9 * count * count)
    }

    @Test func labelsThatAreNoneReachALimit() throws {
        let count = 100
        let names = ["time", "id", "v"]
        let columns = [
            Column((0..<count).map { Timestamp(nanoseconds: Int64($0)) }), Column((0..<count).map { "\($0)" }),
            Column((0..<count).map { Double($0) }),
        ]
        var rows = SQLRows(names: names, batch: SQLBatch(columns: columns, rowCount: count, isLast: true))
        try rows.convertTimes(Self.query)
        var long = LongToWide(rows, maximumCells: 2000)

        let error = #expect(throws: PluginError.self) { try long.add(rows) }

        #expect(error?.code == .limit)
    }
}

/// Filling makes no more than there is room for.
struct ResamplingTests {
    private static func frame(fields: Int) -> DataFrame {
        let times = Column([Timestamp(nanoseconds: 0), Timestamp(nanoseconds: 5_000_000_000)])
        return DataFrame(
            fields: [Field("Time", column: times)]
                + (0..<fields).map { Field("v\($0)", column: Column([1.0, 2.0] as [Double?])) })
    }

    private static func apply(
        fields: Int = 1, interval: Interval = .seconds(1), seconds: Int64 = 10, maximumCells: Int = 1000
    ) throws -> Resampling.Outcome {
        try Resampling(
            fill: SQLFill(argument: "NULL", interval: interval), from: Timestamp(nanoseconds: 0),
            to: Timestamp(nanoseconds: seconds * 1_000_000_000), limit: 100, maximumCells: maximumCells
        ).apply(to: frame(fields: fields))
    }

    @Test func cellsAreCountedAndNotPointsAlone() throws {
        guard case .resampled(let few) = try Self.apply(fields: 10) else { Issue.record("was not filled"); return }
        #expect(few.rowCount == 11)
        guard case .tooManyPoints = try Self.apply(fields: 100) else { Issue.record("was filled"); return }
        guard case .tooManyPoints = try Self.apply(seconds: 100) else { Issue.record("was filled"); return }
    }

    @Test func aStepBelowASecondIsAnError() {
        let error = #expect(throws: PluginError.self) { try Self.apply(interval: Interval(milliseconds: 500)) }

        #expect(error?.source == .plugin)
    }

    @Test func whatNobodyWaitsForIsNotFilled() async {
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            return try Self.apply()
        }
        task.cancel()

        await #expect(throws: CancellationError.self) { try await task.value }
    }
}

/// Times as databases print them.
struct DateTimeTextTests {
    private static func parse(_ text: String) -> Timestamp? {
        var text = text
        return text.withUTF8 { DateTimeText.parse($0) }
    }

    @Test(arguments: [
        ("1970-01-01", 0), ("1970-01-01 00:00:01", 1_000_000_000), ("1969-12-31 23:59:59.5", -500_000_000),
        ("2000-02-29 12:00:00+05:30", 951_805_800_000_000_000), ("2026-01-01T00:00:00Z", 1_767_225_600_000_000_000),
        ("2026-01-01 00:00:00.000001-08", 1_767_254_400_000_001_000), ("1970-01-01 24:00:00", 86_400_000_000_000),
        ("1900-01-01 00:00:00+00:19:32", -2_208_989_972_000_000_000),
    ])
    func timesAreRead(text: String, nanoseconds: Int) {
        #expect(Self.parse(text)?.nanoseconds == Int64(nanoseconds))
    }

    @Test(arguments: [
        "", "infinity", "-infinity", "0000-00-00", "2026-13-01", "2026-01-01 25:00", "2026-01-01 00:00:00+",
        "0044-03-15 BC",
        "294276-12-31 23:59:59", "2026-01-01 00:00:00.1234567890", "2026-01-01x", "١٩٧٠-01-01",
    ])
    func whatIsNoTimeIsNot(text: String) {
        #expect(Self.parse(text) == nil)
    }

    @Test(arguments: [0, 1, -1, 123_000_000, .min, .max] as [Int64])
    func rfc3339ReadsBack(nanoseconds: Int64) {
        let time = Timestamp(nanoseconds: nanoseconds)

        #expect(Self.parse(DateTimeText.rfc3339(time)) == time)
    }
}
