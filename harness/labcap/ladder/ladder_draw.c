/* ladder_draw.c - see ladder_draw.h. The arrows are in ladder_draw_arrow.c, the calls in
 * ladder_draw_call.c. */
#include "ladder_draw.h"

#include <string.h>

#include "ladder_draw_internal.h"
#include "ladder_text.h"

enum { WORD_MAX = LADDER_NOTE_MAX - 1 }; /* a longer one is broken */

/* ---- Pieces ---- */

int ladder_area(const struct style *s)
{
    return area_of(s);
}

const char *const tone_codes[] = {
    [TONE_PLAIN] = CODE_PLAIN, [TONE_OPEN] = CODE_OPEN, [TONE_DATA] = CODE_DATA,
    [TONE_CLOSE] = CODE_CLOSE, [TONE_BAD] = CODE_BAD,   [TONE_NOTE] = CODE_NOTE,
    [TONE_QUIET] = CODE_QUIET, [TONE_CALL] = CODE_CALL};

void put_dashes(const struct style *s, enum tone tone, int count)
{
    begin_tone(s, tone);
    out_dashes(count, s->utf8);
    end_tone(s);
}

#define LANE_SIGNS(begin, end, whole, busy, cut) \
    {LADDER_WORD(begin(QUIET) whole end), LADDER_WORD(begin(CALL) busy end), \
     LADDER_WORD(begin(QUIET) cut end)}
#define LANES(begin, end) \
    {LANE_SIGNS(begin, end, "|", "#", ":"), LANE_SIGNS(begin, end, "\u2502", "\u2503", "\u250a")}
#define IN_TONE(tone) CODE_##tone
#define IN_NO_TONE(tone) ""

const struct ladder_word lane_signs[2][2][3] = {LANES(IN_NO_TONE, ""), LANES(IN_TONE, CODE_PLAIN)};

static const struct span no_time;

void left_of_lane(const struct style *s, const char *state)
{
    out_until(write_left(out_room(ROW_ROOM), s, 0, &no_time, state, LANE_WHOLE));
}

void right_of_lane(const struct style *s, const char *state)
{
    out_until(write_right(out_room(ROW_ROOM), s, state, LANE_WHOLE));
}

/* ---- Breaking texts ---- */

int line_of(const char *text, int room, const char **next)
{
    int length = (int)strlen(text), at_comma = 0, at_space = 0;

    *next = text + length;
    if (length <= room)
        return length;
    for (int i = 1; i <= room; i++) {
        if (text[i] != ' ')
            continue;
        if (text[i - 1] == ',' || text[i - 1] == ';')
            at_comma = i;
        at_space = i;
    }
    if (at_comma > 0) {
        *next = text + at_comma + 1;
        return at_comma - 1;
    }
    *next = text + (at_space > 0 ? at_space + 1 : room);
    return at_space > 0 ? at_space : room;
}

void ladder_remark(const struct style *s, bool at_client, enum tone tone, const char *text)
{
    while (*text != '\0') {
        char line[LADDER_NOTE_MAX];
        const char *next;
        int length = line_of(text, ladder_area(s) - 2, &next);

        memcpy(line, text, (size_t)length);
        line[length] = '\0';
        ladder_line(s, at_client, tone, line, length);
        text = next;
    }
}

/* ---- Rows ---- */

void ladder_heading(const struct style *s, const char *text, const char *details)
{
    int columns = text_columns(text, s->utf8);
    int rest = s->width - 6 - columns - text_columns(details, s->utf8);

    if (*details == '\0')
        rest = 0;
    put_dashes(s, TONE_QUIET, 1);
    out_char(' ');
    put(s, TONE_DATA, text);
    out_char(' ');
    put_dashes(s, TONE_QUIET, rest > 0 ? rest : s->width - 3 - columns);
    if (rest > 0) {
        out_char(' ');
        out_text(details);
        out_char(' ');
        put_dashes(s, TONE_QUIET, 1);
    }
    out_line_end();
}

/* A text over the lanes, in as many lines as it needs. */
static void put_over(const struct style *s, const char *text, int width, bool at_right)
{
    int length = (int)strlen(text), room = s->width - margin(s);

    for (; length > 0; text += room, length -= room) {
        int part = length < room ? length : room;

        out_spaces(margin(s) + (at_right ? width - part : 0));
        out_bytes(text, (size_t)part);
        out_line_end();
    }
}

/* Two texts over the lanes, or one below the other where there is no room. */
static void put_pair(const struct style *s, const char *left, const char *right, int width)
{
    int gap = width - (int)strlen(left) - (int)strlen(right);

    if (gap < 2) {
        put_over(s, left, width, false);
        put_over(s, right, width, true);
        return;
    }
    out_spaces(margin(s));
    out_text(left);
    out_spaces(gap);
    out_text(right);
    out_line_end();
}

void ladder_ends(const struct style *s, const char *client, const char *server)
{
    int width = ladder_area(s) + 2;

    put_pair(s, "client", "server", width);
    put_pair(s, client, server, width);
}

static void states_between(const struct style *s, const char *client, const char *server)
{
    int gap = ladder_area(s) - 2 - (int)strlen(client) - (int)strlen(server);

    left_of_lane(s, "");
    out_char(' ');
    put(s, TONE_PLAIN, client);
    out_spaces(gap);
    put(s, TONE_PLAIN, server);
    out_char(' ');
    right_of_lane(s, "");
}

void states_beneath(const struct style *s, const char *const state[2])
{
    if (!has_states(s) && (*state[0] != '\0' || *state[1] != '\0'))
        states_between(s, state[0], state[1]);
}

void ladder_states(const struct style *s, const char *client, const char *server)
{
    if (!has_states(s)) {
        states_between(s, client, server);
        return;
    }
    left_of_lane(s, client);
    out_spaces(ladder_area(s));
    right_of_lane(s, server);
}

static void put_centred(const struct style *s, const struct span *time, const char *text,
                        int columns, enum lane lane)
{
    int gap = ladder_area(s) - columns;
    char *to = write_left(out_room(ROW_ROOM), s, 0, time, "", lane);

    to = write_spaces(to, gap / 2);
    to = write_text(to, s, TONE_QUIET, text, strlen(text));
    to = write_spaces(to, gap - gap / 2);
    out_until(write_right(to, s, "", lane));
}

void ladder_phase(const struct style *s, const char *name)
{
    put_centred(s, &no_time, name, (int)strlen(name), LANE_WHOLE);
}

void ladder_fold(const struct style *s, const struct span *time, const char *text)
{
    const char *dots = s->utf8 ? "\u2026" : "...";
    int room = ladder_area(s) - 2 * (text_columns(dots, s->utf8) + 1);
    bool first = true;

    while (*text != '\0') {
        char line[LADDER_NOTE_MAX];
        const char *next;
        int length = line_of(text, room, &next);
        size_t used = 0;

        if (first)
            used = strlen(strcat(strcpy(line, dots), " "));
        memcpy(line + used, text, (size_t)length);
        line[used + (size_t)length] = '\0';
        text = next;
        if (*text == '\0')
            strcat(strcat(line, " "), dots);
        put_centred(s, first ? time : &no_time, line, text_columns(line, s->utf8), LANE_CUT);
        first = false;
    }
}

void ladder_across(const struct style *s, uint64_t number, const struct span *time,
                   const char *text)
{
    int room = s->width - s->number_width - 1 - (has_time(s) ? TIME_WIDTH + 1 : 0);

    out_until(write_time(write_number(out_room(ROW_ROOM), s, number), s, time));
    while (*text != '\0') {
        const char *next;
        int length = line_of(text, room, &next);

        begin_tone(s, TONE_NOTE);
        out_bytes(text, (size_t)length);
        end_tone(s);
        out_line_end();
        text = next;
        if (*text != '\0')
            out_spaces(s->width - room);
    }
}

void ladder_line(const struct style *s, bool at_client, enum tone tone, const char *text,
                 int columns)
{
    int gap = ladder_area(s) - columns - 2;

    left_of_lane(s, "");
    out_spaces(at_client ? 1 : 1 + gap);
    put(s, tone, text);
    out_spaces(at_client ? 1 + gap : 1);
    right_of_lane(s, "");
}

/* Every octet takes a column. Without a branch the compiler takes many octets at a time. */
static bool is_ascii(const char *text, size_t length)
{
    unsigned char all = 0;

    for (size_t i = 0; i < length; i++)
        all |= (unsigned char)text[i];
    return all < 0x80;
}

/* Lines of such a text, as long as they can be broken at spaces. Returns the rest. */
static const char *put_lines(const char *text, size_t length, size_t width)
{
    while (length > width) {
        const char *space = memrchr(text, ' ', width + 1);

        if (space == NULL)
            break;
        out_bytes(text, (size_t)(space - text));
        out_line_end();
        length -= (size_t)(space + 1 - text);
        text = space + 1;
    }
    if (length > width)
        return text;
    out_bytes(text, length);
    return text + length;
}

void ladder_paragraph(const struct style *s, const char *text)
{
    size_t whole = strlen(text);
    int column = 0;

    if (is_ascii(text, whole))
        text = put_lines(text, whole, (size_t)s->width);
    while (*text != '\0') {
        size_t length = 0;
        int columns;

        while (text[length] != '\0' && text[length] != ' ' && length < WORD_MAX)
            length++;
        columns = text_columns_of(text, length, s->utf8);
        if (column > 0 && column + 1 + columns > s->width) {
            out_line_end();
            column = 0;
        }
        if (column > 0)
            out_char(' ');
        out_bytes(text, length);
        column += (column > 0) + columns;
        text += length;
        while (*text == ' ')
            text++;
    }
    out_line_end();
}
