// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import PluginHost

/// What a process may say and take.
struct BudgetTests {
    @Test func wordsAreBoundedAtOnceAndBySecond() {
        var budget = WordBudget()
        let first = (0..<11_000).count { _ in budget.spend(at: 0) }
        let second = (0..<60_000).count { _ in budget.spend(at: 5_000_000_000) }

        #expect(first == Int(WordBudget.burst))
        // The first one too many was counted as well, as were those after it.
        #expect(second == Int(5 * WordBudget.rate) - 1_000)
    }

    @Test func whoIsAskedMayAnswer() {
        var budget = WordBudget()
        let answers = (0..<50_000).count { _ in
            budget.callBegan()
            return budget.spend(at: 0)
        }
        let words = (0..<11_000).count { _ in budget.spend(at: 0) }

        #expect(answers == 50_000)
        #expect(words == Int(WordBudget.burst) - 1, "calls that ended leave nothing behind")
    }

    @Test func aCallTakesItsBudgetAndNoMore() {
        var account = ProcessorAccount()
        account.began()
        let isOpened = account.open(used: 7)
        let draws = [7.9, 8.1].map {
            account.draw(used: $0, budget: 1, running: 1, streams: 0, elapsed: 0.25)
        }

        #expect(isOpened)
        #expect(draws == [false, true])
    }

    @Test func callsDrawTogether() {
        var account = ProcessorAccount()
        for _ in 0..<3 { account.began() }
        _ = account.open(used: 0)

        let isOver = account.draw(used: 2.5, budget: 1, running: 3, streams: 0, elapsed: 0.25)
        #expect(!isOver)
    }

    @Test func whatShortCallsLeaveIsNotSaved() {
        var account = ProcessorAccount()
        _ = account.open(used: 0)
        for _ in 0..<1_000 { account.began() }
        let first = account.draw(used: 0.1, budget: 1, running: 1, streams: 0, elapsed: 0.25)
        let second = account.draw(used: 0.2, budget: 1, running: 1, streams: 0, elapsed: 0.25)
        let third = account.draw(used: 1.4, budget: 1, running: 1, streams: 0, elapsed: 0.25)

        #expect([first, second, third] == [false, false, true])
    }

    @Test func aStreamHasABudgetForEachMinute() {
        var account = ProcessorAccount()
        account.began()
        _ = account.open(used: 0)
        let quiet = (1...240).map {
            account.draw(used: Double($0) * 0.004, budget: 1, running: 0, streams: 1, elapsed: 0.25)
        }
        let busy = (1...8).map {
            account.draw(used: 0.96 + Double($0) * 0.25, budget: 1, running: 0, streams: 1, elapsed: 0.25)
        }

        #expect(!quiet.contains(true))
        #expect(busy.contains(true))
    }

    @Test func threeHangsWithinTenMinutesAreTooMany() {
        let minute: Int64 = 60_000_000_000
        var trouble = RuntimeTrouble()
        let slow = [0, 6, 12, 18].map { trouble.hung(at: $0 * minute) }
        let fast = [19, 20].map { trouble.hung(at: $0 * minute) }
        let reports = [trouble.report(), trouble.report()]

        #expect(slow == [false, false, false, false])
        #expect(fast == [true, true])
        #expect(reports == [true, false])
    }
}
