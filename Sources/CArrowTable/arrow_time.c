/* SPDX-License-Identifier: Apache-2.0 */
#include "arrow_table.h"

static char *digits(char *out, int64_t value, int count) {
    for (int place = count - 1; place >= 0; place--) {
        out[place] = (char)('0' + value % 10);
        value /= 10;
    }
    return out + count;
}

/* Days since 1970-01-01 to a date of the proleptic Gregorian calendar, in years that begin in March. */
static void civil(int64_t days, int64_t *year, int *month, int *day) {
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * shifted + 2) / 5 + 1);
    *month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

static int64_t days_of(int64_t year, int month, int day) {
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    return era * 146097 + of_era - 719468;
}

int arrow_time_text(int64_t nanoseconds, char *out) {
    int64_t seconds = nanoseconds / 1000000000, rest = nanoseconds % 1000000000;
    if (rest < 0) {
        rest += 1000000000;
        seconds -= 1;
    }
    int64_t days = seconds / 86400, of_day = seconds % 86400;
    if (of_day < 0) {
        of_day += 86400;
        days -= 1;
    }
    int64_t year;
    int month, day;
    civil(days, &year, &month, &day);
    char *end = digits(out, year, 4);
    *end++ = '-';
    end = digits(end, month, 2);
    *end++ = '-';
    end = digits(end, day, 2);
    *end++ = ' ';
    end = digits(end, of_day / 3600, 2);
    *end++ = ':';
    end = digits(end, of_day / 60 % 60, 2);
    *end++ = ':';
    end = digits(end, of_day % 60, 2);
    if (rest > 0) {
        *end++ = '.';
        end = digits(end, rest, 9);
        while (end[-1] == '0') end--;
    }
    return (int)(end - out);
}

static int number(const char *text, int count, int64_t *value) {
    *value = 0;
    for (int place = 0; place < count; place++) {
        if (text[place] < '0' || text[place] > '9') return 0;
        *value = *value * 10 + (text[place] - '0');
    }
    return 1;
}

int arrow_time_parse(const char *text, size_t length, int64_t *nanoseconds) {
    int64_t year, month, day, hour, minute, second, rest = 0;
    if (length < 19 || length > 29 || length == 20 || text[4] != '-' || text[7] != '-' || text[10] != ' '
        || text[13] != ':' || text[16] != ':')
        return 0;
    if (!number(text, 4, &year) || !number(text + 5, 2, &month) || !number(text + 8, 2, &day)
        || !number(text + 11, 2, &hour) || !number(text + 14, 2, &minute) || !number(text + 17, 2, &second))
        return 0;
    if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 59) return 0;
    if (length > 19) {
        if (text[19] != '.' || !number(text + 20, (int)length - 20, &rest)) return 0;
        for (size_t place = length; place < 29; place++) rest *= 10;
    }
    int64_t days = days_of(year, (int)month, (int)day);
    int64_t checked_year;
    int checked_month, checked_day;
    civil(days, &checked_year, &checked_month, &checked_day);
    if (checked_day != day) return 0; /* no 31 February */
    int64_t seconds = days * 86400 + hour * 3600 + minute * 60 + second;
    return !__builtin_mul_overflow(seconds, 1000000000, nanoseconds)
        && !__builtin_add_overflow(*nanoseconds, rest, nanoseconds);
}
