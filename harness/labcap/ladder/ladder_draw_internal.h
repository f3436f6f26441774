/* ladder_draw_internal.h - the pieces that rows of a ladder are drawn with. */
#ifndef LABCAP_LADDER_DRAW_INTERNAL_H
#define LABCAP_LADDER_DRAW_INTERNAL_H

#include <string.h>

#include "digits.h"
#include "ladder_draw.h"
#include "ladder_out.h"

enum {
    TIME_WIDTH = 8,   /* -12.3 ms */
    STATE_WIDTH = 12, /* SYN-RECEIVED */
    STATES_FROM = 72, /* columns from which states stand beside the lanes */
    TIME_FROM = 50    /* columns from which there is a time */
};

enum lane { LANE_WHOLE, LANE_BUSY, LANE_CUT /* rows are left out */ };

static inline bool has_time(const struct style *s)
{
    return s->width >= TIME_FROM;
}

static inline bool has_states(const struct style *s)
{
    return s->width >= STATES_FROM;
}

/* Columns to the left of the client's lane. */
static inline int margin(const struct style *s)
{
    return s->number_width + 1 + (has_time(s) ? TIME_WIDTH + 1 : 0) +
           (has_states(s) ? STATE_WIDTH + 1 : 0);
}

static inline int area_of(const struct style *s)
{
    return s->width - margin(s) - 2 - (has_states(s) ? STATE_WIDTH + 1 : 0);
}

/* Escape sequences; nothing where there is no colour. */
#define CODE_PLAIN "\033[0m"
#define CODE_OPEN "\033[32m"
#define CODE_DATA "\033[1m"
#define CODE_CLOSE "\033[36m"
#define CODE_BAD "\033[31;1m"
#define CODE_NOTE "\033[33m"
#define CODE_QUIET "\033[2m"
#define CODE_CALL "\033[35m"

extern const char *const tone_codes[];

static inline void begin_tone(const struct style *s, enum tone tone)
{
    if (s->color)
        out_text(tone_codes[tone]);
}

static inline void end_tone(const struct style *s)
{
    if (s->color)
        out_text(tone_codes[TONE_PLAIN]);
}

/* The text in its colour. */
static inline void put(const struct style *s, enum tone tone, const char *text)
{
    if (*text == '\0')
        return;
    begin_tone(s, tone);
    out_text(text);
    end_tone(s);
}

void put_dashes(const struct style *style, enum tone tone, int count);

/* What stands left of the area between the lanes, the client's lane included; and right of it. */
void left_of_lane(const struct style *style, const char *state);
void right_of_lane(const struct style *style, const char *state);

/* There are many rows of packets: they are written piece by piece into room for a whole one. Each
 * returns where the next piece goes. */
enum { ROW_ROOM = 2048 };

static inline char *write_tone(char *to, const struct style *s, enum tone tone)
{
    return s->color ? stpcpy(to, tone_codes[tone]) : to;
}

static inline char *write_text(char *to, const struct style *s, enum tone tone, const char *text,
                               size_t length)
{
    if (length == 0)
        return to;
    to = write_tone(to, s, tone);
    memcpy(to, text, length);
    return write_tone(to + length, s, TONE_PLAIN);
}

/* The same, of a text that has at least `size` octets of memory: a number that the compiler knows.
 * All of them are copied, which takes less than a call. */
static inline char *write_short(char *to, const struct style *s, enum tone tone, const char *text,
                                size_t size, size_t length)
{
    to = write_tone(to, s, tone);
    memcpy(to, text, size);
    return write_tone(to + length, s, TONE_PLAIN);
}

/* Right-aligned, and a space behind it. */
static inline char *write_number(char *to, const struct style *s, uint64_t number)
{
    unsigned digits = number > 0 ? digits_count(number) : 0;

    to = write_few_spaces(to, s->number_width - (int)digits);
    if (number > 0) {
        to = write_tone(to, s, TONE_QUIET);
        digits_all(to, number);
        to = write_tone(to + digits, s, TONE_PLAIN);
    }
    *to++ = ' ';
    return to;
}

static inline char *write_time(char *to, const struct style *s, const struct span *time)
{
    if (!has_time(s))
        return to;
    to = write_few_spaces(to, TIME_WIDTH - time->columns);
    if (time->length > 0)
        to = write_short(to, s, TONE_QUIET, time->text, SPAN_TEXT_MAX, time->length);
    *to++ = ' ';
    return to;
}

static inline char *write_state(char *to, const struct style *s, const char *state)
{
    size_t length = *state != '\0' ? strlen(state) : 0;

    to = write_few_spaces(to, STATE_WIDTH - (int)length);
    to = write_text(to, s, TONE_PLAIN, state, length);
    *to++ = ' ';
    return to;
}

extern const struct ladder_word lane_signs[2][2][3]; /* in colour, in UTF-8, enum lane */

static inline char *write_lane(char *to, const struct style *s, bool busy, enum lane lane)
{
    if (lane == LANE_WHOLE && busy)
        lane = LANE_BUSY;
    return write_word(to, &lane_signs[s->color][s->utf8][lane]);
}

static inline char *write_left(char *to, const struct style *s, uint64_t number,
                               const struct span *time, const char *state, enum lane lane)
{
    to = write_number(to, s, number);
    to = write_time(to, s, time);
    if (has_states(s))
        to = write_state(to, s, state);
    return write_lane(to, s, s->busy[0], lane);
}

static inline char *write_right(char *to, const struct style *s, const char *state,
                                enum lane lane)
{
    to = write_lane(to, s, s->busy[1], lane);
    if (*state != '\0' && has_states(s)) {
        *to++ = ' ';
        to = write_text(to, s, TONE_PLAIN, state, strlen(state));
    }
    *to++ = '\n';
    return to;
}

/* States in a line of their own, if they are not beside the lanes and any is new. */
void states_beneath(const struct style *style, const char *const state[2]);

/* The part of `text` that a line of `room` columns takes: up to a comma or semicolon, else up to a
 * space, else as much as there is room for. *next is where the rest begins. */
int line_of(const char *text, int room, const char **next);

#endif
