/* SPDX-License-Identifier: Apache-2.0 */
#include "arrow_table.h"

#include <string.h>

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

/* `rest` is the nanoseconds of a second. */
static int write_time(int64_t seconds, int64_t rest, char *out) {
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

int arrow_time_text(int64_t nanoseconds, char *out) {
    int64_t seconds = nanoseconds / 1000000000, rest = nanoseconds % 1000000000;
    if (rest < 0) {
        rest += 1000000000;
        seconds -= 1;
    }
    return write_time(seconds, rest, out);
}

static int number(const char *text, int count, int64_t *value) {
    *value = 0;
    for (int place = 0; place < count; place++) {
        if (text[place] < '0' || text[place] > '9') return 0;
        *value = *value * 10 + (text[place] - '0');
    }
    return 1;
}

static int is_digit(char byte) { return byte >= '0' && byte <= '9'; }

/* Reads what may follow the minutes: seconds, a fraction and a zone. `place` is behind the minutes. */
static int read_end(const char *text, size_t length, size_t place, int64_t *second, int64_t *rest, int64_t *zone) {
    if (place < length && text[place] == ':') {
        if (length < place + 3 || !number(text + place + 1, 2, second) || *second > 59) return 0;
        place += 3;
        if (place < length && text[place] == '.') {
            size_t start = ++place;
            while (place < length && is_digit(text[place])) place++;
            if (place == start || place > start + 9) return 0;
            (void)number(text + start, (int)(place - start), rest);
            for (size_t count = place - start; count < 9; count++) *rest *= 10;
        }
    }
    if (place == length) return 1;
    if (text[place] == 'Z') return place + 1 == length;
    int64_t hours, minutes;
    if ((text[place] != '+' && text[place] != '-') || length != place + 6 || text[place + 3] != ':'
        || !number(text + place + 1, 2, &hours) || !number(text + place + 4, 2, &minutes) || hours > 14
        || minutes > 59)
        return 0;
    *zone = (hours * 3600 + minutes * 60) * (text[place] == '-' ? -1 : 1);
    return 1;
}

static int read_time(const char *text, size_t length, int64_t *seconds, int64_t *rest) {
    int64_t year, month, day, hour = 0, minute = 0, second = 0, zone = 0;
    *rest = 0;
    if (length < 10 || length > 35 || text[4] != '-' || text[7] != '-') return 0;
    if (!number(text, 4, &year) || !number(text + 5, 2, &month) || !number(text + 8, 2, &day)) return 0;
    if (month < 1 || month > 12 || day < 1 || day > 31) return 0;
    if (length > 10) {
        if (length < 16 || (text[10] != ' ' && text[10] != 'T') || text[13] != ':') return 0;
        if (!number(text + 11, 2, &hour) || !number(text + 14, 2, &minute) || hour > 23 || minute > 59) return 0;
        if (!read_end(text, length, 16, &second, rest, &zone)) return 0;
    }
    int64_t days = days_of(year, (int)month, (int)day);
    int64_t checked_year;
    int checked_month, checked_day;
    civil(days, &checked_year, &checked_month, &checked_day);
    if (checked_day != day) return 0; /* no 31 February */
    *seconds = days * 86400 + hour * 3600 + minute * 60 + second - zone;
    return 1;
}

int arrow_time_read(const char *text, size_t length, int64_t *nanoseconds) {
    int64_t seconds, rest;
    return read_time(text, length, &seconds, &rest) && !__builtin_mul_overflow(seconds, 1000000000, nanoseconds)
        && !__builtin_add_overflow(*nanoseconds, rest, nanoseconds);
}

int arrow_time_parse(const char *text, size_t length, int64_t *nanoseconds) {
    if (length < 19 || length > 29 || text[10] != ' ') return 0;
    if (length > 19) {
        if (text[19] != '.') return 0;
        for (size_t place = 20; place < length; place++)
            if (!is_digit(text[place])) return 0;
    }
    return arrow_time_read(text, length, nanoseconds);
}

/* Whether a text is already as arrow_time_text writes it, or no time at all. */
static int is_plain(const char *text, size_t length) {
    if (length < 10 || !is_digit(text[0]) || text[4] != '-') return 1;
    if (length < 19 || text[10] != ' ' || text[16] != ':') return 0;
    if (length == 19) return 1;
    if (text[19] != '.' || text[length - 1] == '0') return 0;
    for (size_t place = 20; place < length; place++)
        if (!is_digit(text[place])) return 0;
    return 1;
}

/* The text by which a text is put in order: its time as arrow_time_text writes it, or the text itself. */
static const char *sort_key(const char *text, int *length, char *room) {
    int64_t seconds, rest;
    if (is_plain(text, (size_t)*length) || !read_time(text, (size_t)*length, &seconds, &rest)) return text;
    /* A zone may lead out of the years that four digits name. */
    if (seconds < -62167219200 || seconds > 253402300799) return text;
    *length = write_time(seconds, rest, room);
    return room;
}

int arrow_time_compare(void *unused, int left_length, const void *left, int right_length, const void *right) {
    (void)unused;
    char left_room[32], right_room[32];
    /* Keys, not moments, so that times and other texts have one order together. */
    left = sort_key(left, &left_length, left_room);
    right = sort_key(right, &right_length, right_room);
    int order = memcmp(left, right, (size_t)(left_length < right_length ? left_length : right_length));
    return order != 0 ? order : left_length - right_length;
}
