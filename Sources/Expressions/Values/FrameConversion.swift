// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Reads the frames of a data source's answer as values to calculate with.
struct FrameConversion {
    let refID: String
    /// The id of the plugin that answered.
    let sourceType: String
    /// Whether the type that frames declare says how they are read.
    var readsDataPlane = true

    /// - Throws: ``ExpressionError`` `.readData` for frames of a form that has no values.
    func values(of frames: [DataFrame]) throws(ExpressionError) -> [ExpressionValue] {
        guard let first = frames.first else { return [.noData()] }
        if readsDataPlane, let type = first.meta?.type, !type.isEmpty,
            first.meta?.typeVersion != FrameMeta.TypeVersion(0, 0)
        {
            if let values = try DataPlaneReader(refID: refID).values(of: frames, type: type) { return values }
        }
        if let values = prometheusVector(frames) { return values }
        if frames.count == 1 {
            if first.fields.isEmpty { return [.noData(first)] }
            if let values = try numberTable(first) { return values }
        }
        return try series(of: frames)
    }

    private func failure(_ fact: String) -> ExpressionError { .readData(refID, fact) }

    // MARK: Numbers

    /// An answer of an instant query in the old form: one number a frame.
    private func prometheusVector(_ frames: [DataFrame]) -> [ExpressionValue]? {
        guard SourceKind(sourceType) == .prometheus else { return nil }
        for frame in frames {
            guard frame.meta?.custom?["resultType"]?.string == "vector", frame.fields.count == 2, frame.rowCount == 1,
                frame.fields[1].type.isNumeric
            else { return nil }
        }
        return frames.map { frame in
            let field = frame.fields[1]
            return .number(field.column.double(at: 0), labels: field.labels ?? [:], name: frame.name)
        }
    }

    /// A frame without times that has one number column and else only texts: a number a row, labelled by the texts.
    private func numberTable(_ frame: DataFrame) throws(ExpressionError) -> [ExpressionValue]? {
        var number: Field?
        for field in frame.fields where field.type != .string {
            guard field.type.isNumeric, number == nil else { return nil }
            number = field
        }
        guard let number else { return nil }
        let texts = frame.fields.filter { $0.type == .string }
        return (0..<frame.rowCount).map { row in
            var labels: Labels = [:]
            for field in texts { labels[field.name] = field.column.string(at: row) ?? "" }
            var value = ExpressionValue.number(number.column.double(at: row), labels: labels, name: number.name)
            value.config = number.config
            return value
        }
    }

    // MARK: Series

    private func series(of frames: [DataFrame]) throws(ExpressionError) -> [ExpressionValue] {
        var values: [ExpressionValue] = []
        for frame in frames {
            let form = Self.form(of: frame)
            if form == "not", SourceKind(sourceType) == .influxDB { continue }
            guard form == "wide" else {
                throw failure("input data must be a wide series but got type \(form) (input refid)")
            }
            let time = try SeriesReader.times(in: frame, refID)
            for field in frame.fields where field.type != .time {
                var value = try SeriesReader.series(field, times: time, refID)
                if !frame.name.isEmpty { value.name = frame.name }
                values.append(value)
            }
        }
        guard !values.isEmpty else { return [.noData()] }
        return SourceKind(sourceType).namesItsSeries ? named(values) : values
    }

    /// `wide`, `long` or `not`, as the SDK for Go tells time series apart.
    static func form(of frame: DataFrame) -> String {
        guard frame.fields.contains(where: { $0.type == .time }),
            frame.fields.contains(where: { $0.type != .time })
        else { return "not" }
        return frame.fields.contains { $0.type == .string || $0.type == .bool } ? "long" : "wide"
    }

    /// Series of sources without labels get their name as one, so that they can be told apart.
    private func named(_ values: [ExpressionValue]) -> [ExpressionValue] {
        guard values.allSatisfy(\.labels.isEmpty) else { return values }
        let choices: [(ExpressionValue) -> String?] = [
            { $0.config?.displayNameFromDS }, { $0.config?.displayName }, { $0.name },
        ]
        for choice in choices {
            let names = values.compactMap(choice).filter { !$0.isEmpty }
            guard names.count == values.count, Set(names).count == names.count else { continue }
            return zip(values, names).map { value, name in
                var value = value
                value.labels = ["__name__": name]
                return value
            }
        }
        return values
    }
}

/// Sources whose answers are read in a way of their own.
enum SourceKind {
    case prometheus, influxDB, nameless, other

    init(_ pluginID: String) {
        switch pluginID {
        case "prometheus", "grafana-amazonprometheus-datasource", "grafana-azureprometheus-datasource":
            self = .prometheus
        case "influxdb": self = .influxDB
        case "graphite", "grafana-testdata-datasource", "testdata", "dynatrace", "grafana-dynatrace-datasource":
            self = .nameless
        default: self = .other
        }
    }

    /// Whether series without labels are labelled by their names.
    var namesItsSeries: Bool { self == .nameless || self == .influxDB }
}
