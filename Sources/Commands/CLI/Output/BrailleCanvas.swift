// SPDX-License-Identifier: Apache-2.0

/// A drawing of dots, two across and four down in each character.
struct BrailleCanvas {
    let columns: Int
    let rows: Int
    private var dots: [UInt8]
    /// The series that was drawn last in a character, -1 for none.
    private var owners: [Int]

    /// The bit of each dot, by its row and column in the character (Unicode chapter 21.1).
    private static let bits: [[UInt8]] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]]

    init(columns: Int, rows: Int) {
        self.columns = columns
        self.rows = rows
        dots = Array(repeating: 0, count: columns * rows)
        owners = Array(repeating: -1, count: columns * rows)
    }

    var dotColumns: Int { columns * 2 }
    var dotRows: Int { rows * 4 }

    /// Draws a straight line between two dots, both inside of the canvas; row 0 is the top.
    mutating func line(from start: (x: Int, y: Int), to end: (x: Int, y: Int), series: Int) {
        let steps = max(abs(end.x - start.x), abs(end.y - start.y))
        for step in 0...steps {
            let part = steps == 0 ? 0 : Double(step) / Double(steps)
            let x = start.x + Int((Double(end.x - start.x) * part).rounded())
            let y = start.y + Int((Double(end.y - start.y) * part).rounded())
            let cell = y / 4 * columns + x / 2
            dots[cell] |= Self.bits[y % 4][x % 2]
            owners[cell] = series
        }
    }

    /// The series in a character, or nil when it is empty.
    func owner(column: Int, row: Int) -> Int? {
        let owner = owners[row * columns + column]
        return owner < 0 ? nil : owner
    }

    /// The dots of a character.
    func glyph(column: Int, row: Int) -> Character {
        let value = 0x2800 + UInt32(dots[row * columns + column])
        return Unicode.Scalar(value).map(Character.init) ?? " "
    }
}
