/* ladder_draw.c - see ladder_draw.h. */
#include "ladder_draw.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ladder_text.h"

enum {
    TIME_WIDTH = 8,    /* -12.3 ms */
    STATE_WIDTH = 12,  /* SYN-RECEIVED */
    STATES_FROM = 72,  /* columns from which states stand beside the lanes */
    TIME_FROM = 50,    /* columns from which there is a time */
    ARROW_DECORATION = 5 /* "- text ->" without the text */
};

static const char lost_word[] = "lost";

/* ---- Pieces ---- */

static bool has_time(const struct style *s)
{
    return s->width >= TIME_FROM;
}

static bool has_states(const struct style *s)
{
    return s->width >= STATES_FROM;
}

/* Columns to the left of the client's lane. */
static int margin(const struct style *s)
{
    return s->number_width + 1 + (has_time(s) ? TIME_WIDTH + 1 : 0) +
           (has_states(s) ? STATE_WIDTH + 1 : 0);
}

int ladder_area(const struct style *s)
{
    return s->width - margin(s) - 2 - (has_states(s) ? STATE_WIDTH + 1 : 0);
}

static void begin_tone(const struct style *s, enum tone tone)
{
    static const char *const codes[] = {
        [TONE_PLAIN] = "0", [TONE_OPEN] = "32", [TONE_DATA] = "1",  [TONE_CLOSE] = "36",
        [TONE_BAD] = "31;1", [TONE_NOTE] = "33", [TONE_QUIET] = "2"};

    if (s->color)
        printf("\033[%sm", codes[tone]);
}

static void end_tone(const struct style *s)
{
    if (s->color)
        fputs("\033[0m", stdout);
}

static void put(const struct style *s, enum tone tone, const char *text)
{
    if (*text == '\0')
        return;
    begin_tone(s, tone);
    fputs(text, stdout);
    end_tone(s);
}

static void repeat(const char *text, int times)
{
    while (times-- > 0)
        fputs(text, stdout);
}

static void spaces(int count)
{
    repeat(" ", count);
}

/* Right-aligned; printf's widths count bytes, not columns. */
static void put_right(const struct style *s, enum tone tone, const char *text, int width)
{
    spaces(width - text_columns(text, s->utf8));
    put(s, tone, text);
}

static void put_lane(const struct style *s)
{
    put(s, TONE_QUIET, s->utf8 ? "\u2502" : "|");
}

static void left_of_lane(const struct style *s, uint64_t number, const char *time,
                         const char *state)
{
    char text[24] = "";

    if (number > 0)
        snprintf(text, sizeof text, "%" PRIu64, number);
    put_right(s, TONE_QUIET, text, s->number_width);
    putchar(' ');
    if (has_time(s)) {
        put_right(s, TONE_QUIET, time, TIME_WIDTH);
        putchar(' ');
    }
    if (has_states(s)) {
        put_right(s, TONE_PLAIN, state, STATE_WIDTH);
        putchar(' ');
    }
    put_lane(s);
}

static void right_of_lane(const struct style *s, const char *state)
{
    put_lane(s);
    if (has_states(s) && *state != '\0') {
        putchar(' ');
        put(s, TONE_PLAIN, state);
    }
    putchar('\n');
}

/* ---- Rows ---- */

void ladder_heading(const struct style *s, const char *text, const char *details)
{
    const char *dash = s->utf8 ? "\u2500" : "-";
    int rest = s->width - 6 - text_columns(text, s->utf8) - text_columns(details, s->utf8);

    put(s, TONE_QUIET, dash);
    putchar(' ');
    put(s, TONE_DATA, text);
    putchar(' ');
    begin_tone(s, TONE_QUIET);
    repeat(dash, rest > 0 ? rest : s->width - 3 - text_columns(text, s->utf8));
    end_tone(s);
    if (rest > 0) {
        printf(" %s ", details);
        put(s, TONE_QUIET, dash);
    }
    putchar('\n');
}

/* Two texts over the lanes, or one below the other where there is no room. */
static void put_pair(const struct style *s, const char *left, const char *right, int width)
{
    int gap = width - (int)strlen(left) - (int)strlen(right);

    fputs(left, stdout);
    if (gap < 2) {
        putchar('\n');
        spaces(margin(s));
        gap = width - (int)strlen(right);
    }
    spaces(gap);
    printf("%s\n", right);
}

void ladder_ends(const struct style *s, const char *client, const char *server)
{
    int width = ladder_area(s) + 2;

    spaces(margin(s));
    put_pair(s, "client", "server", width);
    spaces(margin(s));
    put_pair(s, client, server, width);
}

static void put_states_between(const struct style *s, const char *client, const char *server)
{
    int gap = ladder_area(s) - 2 - (int)strlen(client) - (int)strlen(server);

    left_of_lane(s, 0, "", "");
    putchar(' ');
    put(s, TONE_PLAIN, client);
    spaces(gap);
    put(s, TONE_PLAIN, server);
    putchar(' ');
    right_of_lane(s, "");
}

void ladder_states(const struct style *s, const char *client, const char *server)
{
    if (!has_states(s)) {
        put_states_between(s, client, server);
        return;
    }
    left_of_lane(s, 0, "", client);
    spaces(ladder_area(s));
    right_of_lane(s, server);
}

void ladder_phase(const struct style *s, const char *name)
{
    int gap = ladder_area(s) - (int)strlen(name);

    left_of_lane(s, 0, "", "");
    spaces(gap / 2);
    put(s, TONE_QUIET, name);
    spaces(gap - gap / 2);
    right_of_lane(s, "");
}

void ladder_line(const struct style *s, bool at_client, enum tone tone, const char *text,
                 int columns)
{
    int gap = ladder_area(s) - columns - 2;

    left_of_lane(s, 0, "", "");
    spaces(at_client ? 1 : 1 + gap);
    put(s, tone, text);
    spaces(at_client ? 1 + gap : 1);
    right_of_lane(s, "");
}

/* The fullest wording that fits, or the shortest there is. */
static const char *choose_text(const struct ladder_row *row, int room)
{
    const char *text = "";

    for (int i = 0; i < LADDER_TEXTS && row->texts[i][0] != '\0'; i++) {
        text = row->texts[i];
        if ((int)strlen(text) <= room)
            break;
    }
    return text;
}

/* What an arrow is made of: its texts, and how many columns each part takes. */
struct arrow {
    const char *text, *note; /* note "" for none */
    int shaft;               /* dashes between text and head */
    int beyond;              /* columns between a lost one's head and the lane */
};

static void put_texts(const struct style *s, const struct ladder_row *row, const struct arrow *a)
{
    putchar(' ');
    put(s, row->tone, a->text);
    if (*a->note != '\0') {
        fputs(", ", stdout);
        put(s, TONE_NOTE, a->note);
    }
    putchar(' ');
}

static void put_head(const struct style *s, const struct ladder_row *row)
{
    if (row->lost)
        put(s, row->tone, s->utf8 ? "\u2573" : "x");
    else if (row->to_server)
        put(s, row->tone, s->utf8 ? "\u25ba" : ">");
    else
        put(s, row->tone, s->utf8 ? "\u25c4" : "<");
}

/* The word behind a lost one's head, and the way that it did not go. */
static void put_beyond(const struct style *s, const struct ladder_row *row, int columns)
{
    int gap = columns - (int)strlen(lost_word) - 1;

    if (!row->lost)
        return;
    spaces(row->to_server ? 1 : gap);
    put(s, row->tone, lost_word);
    spaces(row->to_server ? gap : 1);
}

static void put_arrow(const struct style *s, const struct ladder_row *row, const struct arrow *a)
{
    const char *dash = s->utf8 ? "\u2500" : "-";

    if (row->to_server) {
        put(s, row->tone, dash);
        put_texts(s, row, a);
    } else {
        put_beyond(s, row, a->beyond);
        put_head(s, row);
    }
    begin_tone(s, row->tone);
    repeat(dash, a->shaft);
    end_tone(s);
    if (row->to_server) {
        put_head(s, row);
        put_beyond(s, row, a->beyond);
    } else {
        put_texts(s, row, a);
        put(s, row->tone, dash);
    }
}

/* Notes without room on the arrow, as many in a line as it holds. */
static void put_notes_beneath(const struct style *s, const struct ladder_row *row)
{
    static const char between[] = ", ";
    const char *note = row->note;
    int room = ladder_area(s) - 2;

    while (*note != '\0') {
        char line[LADDER_TEXT_MAX];
        int length = (int)strlen(note), used = 0;

        while (used < length) {
            const char *end = strstr(note + used + (used > 0 ? 2 : 0), between);
            int longer = end != NULL ? (int)(end - note) : length;

            if (used > 0 && longer > room)
                break;
            used = longer;
        }
        snprintf(line, sizeof line, "%.*s", used, note);
        ladder_line(s, row->to_server, TONE_NOTE, line, used);
        note += used;
        note += *note != '\0' ? (int)strlen(between) : 0;
    }
}

/* A lost packet's arrow ends in the middle, or where its text ends. */
static void measure(const struct style *s, const struct ladder_row *row, struct arrow *a)
{
    int texts = (int)strlen(a->text) + (*a->note != '\0' ? 2 + (int)strlen(a->note) : 0);
    int area = ladder_area(s), length = area;

    if (row->lost) {
        length = texts + ARROW_DECORATION > area / 2 ? texts + ARROW_DECORATION : area / 2;
        a->beyond = area - length;
    }
    a->shaft = length - texts - ARROW_DECORATION + 1;
}

void ladder_arrow(const struct style *s, const struct ladder_row *row)
{
    int room = ladder_area(s) - ARROW_DECORATION - (row->lost ? (int)strlen(lost_word) + 1 : 0);
    struct arrow arrow = {.text = choose_text(row, room), .note = ""};
    int note = (int)strlen(row->note);
    bool inside = note > 0 && (int)strlen(arrow.text) + 2 + note <= room;

    if (inside)
        arrow.note = row->note;
    measure(s, row, &arrow);
    left_of_lane(s, row->number, row->time, row->state[0]);
    put_arrow(s, row, &arrow);
    right_of_lane(s, row->state[1]);
    if (note > 0 && !inside)
        put_notes_beneath(s, row);
    if (!has_states(s) && (*row->state[0] != '\0' || *row->state[1] != '\0'))
        put_states_between(s, row->state[0], row->state[1]);
}

void ladder_paragraph(const struct style *s, const char *text)
{
    int column = 0;

    while (*text != '\0') {
        int length = (int)strcspn(text, " ");

        if (column > 0 && column + 1 + length > s->width) {
            putchar('\n');
            column = 0;
        }
        column += printf("%s%.*s", column > 0 ? " " : "", length, text);
        text += length;
        text += strspn(text, " ");
    }
    putchar('\n');
}
