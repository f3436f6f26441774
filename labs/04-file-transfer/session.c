/* session - see session.h. */
#include "session.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lines.h"
#include "list.h"
#include "net.h"
#include "paths.h"
#include "transfer.h"

enum {
    SILENCE = 300,                      /* seconds: then the client must go */
    MOST_FAILURES = 3                   /* to log in, in one session */
};

/* -- Replies -------------------------------------------------------------- */

void reply(struct session *session, int code, const char *format, ...)
{
    char line[2 * LINE_SIZE + 256];     /* has room for a path, quoted */
    size_t room = sizeof line - 2, len;
    va_list values;

    len = (size_t)snprintf(line, room, "%d ", code);
    va_start(values, format);
    vsnprintf(line + len, room - len, format, values);
    va_end(values);
    strcat(line, "\r\n");
    if (!session->over && send_all(session->control_fd,
                                   line, strlen(line)) < 0) {
        complain("send");
        session->over = true;
    }
}

/* -- Login ---------------------------------------------------------------- */

/* Takes as long whether the first byte is wrong or the last: the time tells
 * nobody how much of a password he has guessed. */
static bool is_same(const char *given, const char *right)
{
    size_t len = strlen(right), given_len = strlen(given);
    bool same = given_len == len;

    for (size_t i = 0; i < given_len; i++)
        same &= given[i] == right[i < len ? i : len];
    return same;
}

/* The right name and a wrong one get the same reply, now and after PASS. */
static void do_user(struct session *session, char *name)
{
    const char *user = session->served->user;

    session->logged_in = false;
    session->named = true;
    session->right_name = user != NULL ? is_same(name, user)
        : strcmp(name, "anonymous") == 0;
    reply(session, 331, "Now the password.");
}

static void do_pass(struct session *session, char *password)
{
    const char *right = session->served->password;

    if (!session->named) {
        reply(session, 503, "Say USER first.");
        return;
    }
    session->named = false;

    /* STEP 7: let nobody in but who knows the name and the password; without
     * an account (-u) any password will do. Who guesses has to connect again
     * after three times. */
    if (session->right_name && (right == NULL || is_same(password, right))) {
        session->logged_in = true;
        reply(session, 230, "You are in.");
    } else if (++session->failures < MOST_FAILURES) {
        reply(session, 530, "Wrong name or password.");
    } else {
        reply(session, 421, "Wrong again, goodbye.");
        session->over = true;
    }
    /* END STEP 7; stub:
    (void)right;
    (void)password;
    session->logged_in = true;
    reply(session, 230, "Whoever you are."); */
}

/* -- Small commands ------------------------------------------------------- */

static void do_type(struct session *session, char *type)
{
    bool ascii = strcasecmp(type, "A") == 0 || strcasecmp(type, "A N") == 0;

    if (ascii || strcasecmp(type, "I") == 0 || strcasecmp(type, "L 8") == 0) {
        session->ascii = ascii;
        reply(session, 200, "Type %s.", ascii ? "A" : "I");
    } else {
        reply(session, 504, "Types A and I only.");
    }
}

static void do_mode(struct session *session, char *mode)
{
    reply(session, strcasecmp(mode, "S") == 0 ? 200 : 504, "Only mode S.");
}

static void do_stru(struct session *session, char *structure)
{
    reply(session, strcasecmp(structure, "F") == 0 ? 200 : 504,
          "Only structure F.");
}

static void do_noop(struct session *session, char *argument)
{
    (void)argument;
    reply(session, 200, "Still here.");
}

static void do_syst(struct session *session, char *argument)
{
    (void)argument;
    reply(session, 215, "UNIX Type: L8");
}

static void do_quit(struct session *session, char *argument)
{
    (void)argument;
    reply(session, 221, "Goodbye.");
    session->over = true;
}

/* -- All commands --------------------------------------------------------- */

static const struct command {
    const char *name;
    void (*run)(struct session *session, char *argument);
    bool needs_login, needs_argument;
} commands[] = {
    { "USER", do_user, false, true },   { "PASS", do_pass, false, false },
    { "QUIT", do_quit, false, false },  { "NOOP", do_noop, false, false },
    { "SYST", do_syst, false, false },
    { "PWD",  do_pwd,  true,  false },  { "CWD",  do_cwd,  true,  true },
    { "CDUP", do_cdup, true,  false },
    { "TYPE", do_type, true,  true },   { "MODE", do_mode, true,  true },
    { "STRU", do_stru, true,  true },
    { "PASV", do_pasv, true,  false },  { "EPSV", do_epsv, true,  false },
    { "PORT", do_port, true,  true },   { "EPRT", do_eprt, true,  true },
    { "RETR", do_retr, true,  true },   { "STOR", do_stor, true,  true },
    { "LIST", do_list, true,  false },  { "NLST", do_nlst, true,  false },
    { "SIZE", do_size, true,  true }
};

bool is_printable(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 127)
            return false;
    return true;
}

/* LINE is the command's name and perhaps, after one space, an argument. */
static void obey(struct session *session, char *line)
{
    const struct command *command = commands;
    const struct command *end = commands + sizeof commands / sizeof *commands;
    char *argument = line + strcspn(line, " ");

    if (*argument != '\0')
        *argument++ = '\0';
    while (command < end && strcasecmp(line, command->name) != 0)
        command++;

    if (command == end)
        reply(session, 502, "There is no such command here.");
    else if (command->needs_login && !session->logged_in)
        reply(session, 530, "Say USER and PASS first.");
    else if (command->needs_argument && argument[0] == '\0')
        reply(session, 501, "%s what?", command->name);
    else if (!is_printable(argument))
        reply(session, 501, "No control characters, please.");
    else
        command->run(session, argument);
}

/* The control connection: no wait is endless, no reply waits in the kernel
 * for more to come, and urgent data, which the ABOR of some clients is, stays
 * in its place among the commands. False, and errno, if the client is gone. */
static bool set_up(struct session *session)
{
    int fd = session->control_fd, yes = 1;

    return set_patience(fd, SILENCE)
        && setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &yes, sizeof yes) == 0
        && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0
        && begin_data(&session->data, fd);
}

/* Takes the next line. False where there is none: the session is over. */
static bool next_command(struct session *session, char line[LINE_SIZE])
{
    bool taken = take_line(&session->lines, line);

    if (!taken && errno == EAGAIN)
        reply(session, 421, "Nothing for %d seconds, goodbye.", SILENCE);
    else if (!taken && errno != 0)
        complain("recv");
    session->over |= !taken;
    return taken;
}

void serve_client(int control_fd, const struct served *served)
{
    struct session session = { .control_fd = control_fd, .served = served,
                               .lines = { .fd = control_fd },
                               .ascii = true };
    char line[LINE_SIZE];

    session.over = !set_up(&session);
    reply(&session, 220, "Welcome.");
    while (!session.over && next_command(&session, line)) {
        if (line[0] == '\0')
            reply(&session, 500, "That is no command.");
        else
            obey(&session, line);
    }
    forget_data(&session);
    close_first(control_fd, 10);
}
