/* strace_line.c - see strace_line.h. */
#include "strace_line.h"

#include <string.h>

#include "strace_text.h"

enum { NS = 1000000000 };

/* Until the year 2096; that twice this is in range keeps all sums of times in range. */
#define SECONDS_MAX INT64_C(4000000000)

/* Unix times below this are no times of day of our century: -r counts from the line before. */
enum { RELATIVE_MAX = 100000000, PID_MAX = 4194304 };

/* ---- In front of the call ---- */

/* "123", "123.456": how many digits stand behind the point goes to *digits. */
static bool take_decimal(struct span *s, int64_t *whole, int64_t *fraction_ns, unsigned *digits)
{
    uint64_t number;
    int64_t unit = NS;

    if (!span_number(s, &number) || number > SECONDS_MAX)
        return false;
    *whole = (int64_t)number;
    *fraction_ns = 0;
    *digits = 0;
    if (!span_take(s, "."))
        return true;
    while (s->length > 0 && *s->at >= '0' && *s->at <= '9' && *digits < 9) {
        unit /= 10;
        *fraction_ns += (*s->at - '0') * unit;
        (*digits)++;
        span_skip(s, 1);
    }
    return *digits > 0;
}

static uint32_t unit_of(unsigned digits)
{
    uint32_t unit = NS;

    while (digits-- > 0)
        unit /= 10;
    return unit;
}

/* "14:30:22.123456", whose hours have been taken. */
static bool take_time_of_day(struct span *s, int64_t hours, struct strace_line *line)
{
    int64_t minutes, seconds, fraction;
    unsigned digits;

    if (!take_decimal(s, &minutes, &fraction, &digits) || digits > 0 || !span_take(s, ":") ||
        !take_decimal(s, &seconds, &fraction, &digits) || hours > 23 || minutes > 59 ||
        seconds > 60)
        return false;
    line->stamp = STAMP_DAY;
    line->time_ns = ((hours * 60 + minutes) * 60 + seconds) * NS + fraction;
    line->unit_ns = unit_of(digits);
    return true;
}

/* The stamp, if there is one. False if what stands there can be neither stamp nor call. */
static bool take_stamp(struct span *s, struct strace_line *line)
{
    int64_t whole, fraction;
    unsigned digits;

    if (s->length == 0 || *s->at < '0' || *s->at > '9')
        return true;
    if (!take_decimal(s, &whole, &fraction, &digits))
        return false;
    if (digits == 0 && span_take(s, ":")) {
        if (!take_time_of_day(s, whole, line))
            return false;
    } else {
        line->stamp = whole < RELATIVE_MAX ? STAMP_RELATIVE : STAMP_UNIX;
        line->time_ns = whole * NS + fraction;
        line->unit_ns = unit_of(digits);
    }
    return span_take(s, " ");
}

/* "123 ", "[pid 123] ", "123<name> ". A number of a stamp's size is one. */
static bool take_pid(struct span *s, struct strace_line *line)
{
    struct span from = *s;
    uint64_t number;
    bool bracket = span_take(s, "[pid");

    span_spaces(s);
    if (!span_number(s, &number) || number > PID_MAX) {
        *s = from;
        return !bracket;
    }
    if (s->length > 0 && *s->at == '<')
        span_skip(s, span_angle(*s));
    if (!span_take(s, bracket ? "] " : " ")) {
        *s = from; /* a time of day, or no log at all */
        return !bracket;
    }
    line->pid = (uint32_t)number;
    line->bracket = bracket;
    return true;
}

/* "(+     0.000110) " of -r, "[ 44] " of -n, "[00007f…] " of -i. */
static void skip_extras(struct span *s)
{
    const char *end;

    for (span_spaces(s); s->length > 0 && (*s->at == '(' || *s->at == '['); span_spaces(s)) {
        end = memchr(s->at, *s->at == '(' ? ')' : ']', s->length);
        if (end == NULL)
            return;
        span_skip(s, (size_t)(end - s->at) + 1);
    }
}

/* ---- The call ---- */

size_t strace_arguments_end(struct span text)
{
    struct span s = text;

    while (s.length > 0 && *s.at != ')')
        span_skip(&s, span_item(s));
    return text.length - s.length;
}

/* " <0.000123>" at the end of the result. */
static void take_duration(struct strace_line *line)
{
    struct span s = line->result;
    int64_t whole, fraction;
    unsigned digits;
    size_t at = s.length;

    while (at > 0 && s.at[at - 1] != '<')
        at--;
    if (at < 2 || s.at[s.length - 1] != '>')
        return;
    span_skip(&s, at);
    if (!take_decimal(&s, &whole, &fraction, &digits) || s.length != 1)
        return;
    line->duration_ns = whole * NS + fraction;
    line->result.length = at - 1;
    while (line->result.length > 0 && line->result.at[line->result.length - 1] == ' ')
        line->result.length--;
}

/* ") = result <duration>", or what a call that does not end has instead. */
static bool take_rest(struct span s, struct strace_line *line)
{
    size_t end = strace_arguments_end(s);

    line->arguments = (struct span){s.at, end};
    span_skip(&s, end);
    if (!span_take(&s, ")")) {
        line->kind = LINE_UNFINISHED;
        return span_cut_end(&line->arguments, " <unfinished ...>") ||
               span_cut_end(&line->arguments, " <detached ...>") || end > 0;
    }
    span_spaces(&s);
    if (!span_take(&s, "= "))
        return false;
    line->result = s;
    take_duration(line);
    span_cut_end(&line->arguments, " <unfinished ...>"); /* its process went before it ended */
    return true;
}

static bool take_resumed(struct span s, struct strace_line *line)
{
    const char *space = memchr(s.at, ' ', s.length);

    if (space == NULL)
        return false;
    line->name = (struct span){s.at, (size_t)(space - s.at)};
    span_skip(&s, line->name.length);
    if (!span_take(&s, " resumed>"))
        return false;
    line->kind = LINE_RESUMED;
    if (!take_rest(s, line))
        return false;
    if (line->kind == LINE_UNFINISHED)
        return false; /* cut: it cannot be put together */
    return true;
}

static bool take_call(struct span s, struct strace_line *line)
{
    size_t length = 0;

    while (length < s.length && span_is_name(s.at[length]))
        length++;
    line->name = (struct span){s.at, length};
    span_skip(&s, length);
    if (length == 0 || !span_take(&s, "("))
        return false;
    line->kind = LINE_CALL;
    return take_rest(s, line);
}

/* "--- SIGTERM {…} ---"; "--- stopped by SIGTSTP ---" is of no interest. */
static bool take_signal(struct span s, struct strace_line *line)
{
    const char *space = memchr(s.at, ' ', s.length);

    line->name = (struct span){s.at, space != NULL ? (size_t)(space - s.at) : s.length};
    line->kind = span_starts(line->name, "SIG") ? LINE_SIGNAL : LINE_OTHER;
    return true;
}

static bool take_end(struct span s, struct strace_line *line)
{
    line->kind = span_starts(s, "exited with ") || span_starts(s, "killed by ") ? LINE_EXITED
                                                                              : LINE_OTHER;
    if (!span_cut_end(&s, " +++"))
        return false;
    line->name = s;
    return true;
}

/* "Process 123 attached", and whatever else strace says. */
static bool take_message(struct span s, struct strace_line *line)
{
    uint64_t pid;

    line->kind = span_contains(s, " ends here: ") ? LINE_ENDS : LINE_OTHER;
    line->name = s;
    if (span_take(&s, "Process ") && span_number(&s, &pid) && pid <= PID_MAX)
        line->pid = (uint32_t)pid;
    return true;
}

bool strace_line_parse(struct strace_line *line, const char *text, size_t length)
{
    struct span s = {text, length};

    memset(line, 0, sizeof *line);
    line->duration_ns = -1;
    if (span_take(&s, "strace: "))
        return take_message(s, line);
    span_spaces(&s);
    if (!take_pid(&s, line))
        return false;
    span_spaces(&s);
    if (!take_stamp(&s, line))
        return false;
    skip_extras(&s);
    if (span_take(&s, "--- "))
        return take_signal(s, line);
    if (span_take(&s, "+++ "))
        return take_end(s, line);
    if (span_take(&s, "<... "))
        return take_resumed(s, line);
    return take_call(s, line);
}
