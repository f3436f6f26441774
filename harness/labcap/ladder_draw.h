/* ladder_draw.h - puts one row of a ladder on the screen; knows nothing of TCP.
 *
 *   time | state of the client | lane ---- arrow ---> lane | state of the server
 *
 * Three forms, by width: states beside the lanes; states in a line of their own between the
 * lanes; the same without time. */
#ifndef LABCAP_LADDER_DRAW_H
#define LABCAP_LADDER_DRAW_H

#include <stdbool.h>
#include <stdint.h>

/* What a row is about, which is what its colour tells. */
enum tone { TONE_PLAIN, TONE_OPEN, TONE_DATA, TONE_CLOSE, TONE_BAD, TONE_NOTE, TONE_QUIET };

struct style {
    bool utf8, color;
    int width;        /* columns of the terminal */
    int number_width; /* of packet numbers */
};

enum { LADDER_WIDTH_MIN = 40, LADDER_WIDTH_MAX = 120, LADDER_TEXTS = 5, LADDER_TEXT_MAX = 96 };

/* One row, in words. An empty text is left out. */
struct ladder_row {
    uint64_t number;
    const char *time; /* since the row before; "" for none */
    bool to_server;
    enum tone tone;
    /* What the arrow says, the fullest wording first; the first that fits is taken. */
    char texts[LADDER_TEXTS][LADDER_TEXT_MAX];
    char note[LADDER_TEXT_MAX]; /* on the arrow where there is room, else beneath */
    const char *state[2];       /* client, server; "" where it is as before */
    bool lost;                  /* the arrow ends halfway */
};

/* Columns between the lanes. */
int ladder_area(const struct style *style);

void ladder_heading(const struct style *style, const char *text, const char *details);
void ladder_ends(const struct style *style, const char *client, const char *server);
void ladder_states(const struct style *style, const char *client, const char *server);
void ladder_phase(const struct style *style, const char *name);
void ladder_arrow(const struct style *style, const struct ladder_row *row);

/* A line between the lanes, at the sender's side; `columns` wide. */
void ladder_line(const struct style *style, bool at_client, enum tone tone, const char *text,
                 int columns);

/* Running text, broken at the width. */
void ladder_paragraph(const struct style *style, const char *text);

#endif
