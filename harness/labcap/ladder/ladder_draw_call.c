/* ladder_draw_call.c - a system call's row, at its side's lane. See ladder_draw.h. */
#include <stdio.h>
#include <string.h>

#include "ladder_draw.h"
#include "ladder_draw_internal.h"
#include "ladder_text.h"

enum {
    CALL_TEXT_MAX = 4 * LADDER_WIDTH_MAX + 1,
    DATA_COLUMNS_MIN = 10 /* fewer say nothing */
};

/* The parts of a row in the order in which they stand. */
struct wording {
    const char *process, *text, *result, *after, *ellipsis;
};

static void compose(char *line, size_t size, const struct wording *w)
{
    snprintf(line, size, "%s%s%s%s%s%s%s%s%s", *w->process ? "[" : "", w->process,
             *w->process ? "] " : "", w->text, *w->result ? " " : "", w->result,
             *w->after ? ", " : "", w->after, w->ellipsis);
}

/* A row that is being put together. */
struct call_line {
    char text[CALL_TEXT_MAX];
    bool has_after, has_data; /* of what the call has; the data as part of the call's own text */
};

/* The fullest of the first `texts` wordings that fits; the last resort is one that must be cut.
 * False if it is that. */
static bool choose(struct call_line *line, const struct ladder_call *c, int texts, int room,
                   bool utf8)
{
    const char *goes_on = !c->goes_on ? "" : utf8 ? " \u2026" : " ...";
    struct wording w = {c->process, "", c->result, c->after, goes_on};

    for (int step = 0; step < 3; step++) {
        if (step == 1)
            w.after = "";
        else if (step == 2)
            w.process = "";
        for (int i = 0; i < texts; i++) {
            w.text = c->texts[i];
            compose(line->text, sizeof line->text, &w);
            line->has_after = step == 0;
            line->has_data = strchr(w.text, '"') != NULL;
            if (text_columns(line->text, utf8) <= room)
                return true;
        }
    }
    return false;
}

/* Appends the data where there is room. Returns the columns of all. */
static int add_data(char *line, size_t size, const struct ladder_call *c, int columns, int room,
                    bool utf8)
{
    size_t used = strlen(line);

    if (c->data_kept == 0 || room - columns - 1 < DATA_COLUMNS_MIN || used + 2 > size)
        return columns;
    line[used] = ' ';
    return columns + 1 +
           payload_text(line + used + 1, size - used - 1, c->data, c->data_kept,
                        c->data_kept < c->data_len, room - columns - 1, utf8);
}

static const char *mark_of(const struct style *s, const struct ladder_call *c)
{
    if (c->ends)
        return s->utf8 ? "\u25cb" : "o";
    return s->utf8 ? "\u25cf" : "*";
}

static void put_text(const struct style *s, const struct ladder_call *c, const char *text,
                     const char *note)
{
    put(s, c->tone, text);
    if (*note != '\0') {
        out_text(", ");
        put(s, TONE_NOTE, note);
    }
}

static void put_row(const struct style *s, const struct ladder_call *c, const char *text,
                    const char *note, int gap)
{
    left_of_lane(s, c->state[0]);
    if (c->at_client) {
        put(s, c->tone, mark_of(s, c));
        out_char(' ');
        put_text(s, c, text, note);
        out_spaces(gap);
    } else {
        out_spaces(gap);
        put_text(s, c, text, note);
        out_char(' ');
        put(s, c->tone, mark_of(s, c));
    }
    right_of_lane(s, c->state[1]);
}

/* The note stands in the row where a shorter wording, but not the bare name, makes room for it;
 * else beneath. */
void ladder_call(const struct style *s, const struct ladder_call *c)
{
    char text[2 * CALL_TEXT_MAX];
    int area = ladder_area(s), room = area - 3, columns;
    int note = *c->note != '\0' ? 2 + text_columns(c->note, s->utf8) : 0;
    bool beside = note > 0 && note < room;
    struct call_line line;

    beside = beside && choose(&line, c, 2, room - note, s->utf8);
    if (!beside) {
        note = 0;
        choose(&line, c, 3, room, s->utf8);
    }
    columns = plain_text(text, sizeof text, line.text, room - note, s->utf8);
    if (!line.has_data)
        columns = add_data(text, sizeof text, c, columns, room - note, s->utf8);
    put_row(s, c, text, beside ? c->note : "", area - 2 - note - columns);
    if (!line.has_after && *c->after != '\0')
        ladder_remark(s, c->at_client, c->tone, c->after);
    if (!beside)
        ladder_remark(s, c->at_client, TONE_NOTE, c->note);
    states_beneath(s, c->state);
}
