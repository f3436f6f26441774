/*
 * One thread and one poll() for all sessions and all transfers; signals come through signalfd(2).
 * Paths are made plain as text, then walked down folder by folder. 150 is said before there is a
 * data connection; a list is made in memory; the greeting and HELP have many lines.
 */
#define BAR '!'
#define PASV_TEXT "Come to %u,%u,%u,%u,%u,%u"
#include "ftp_server_setup.h"

#include <sys/resource.h>
#include <sys/signalfd.h>

enum { MOST = 200, PART = 1 << 16 };
enum state { COMMANDS, SENDING, RECEIVING, ENDING };

struct session {
    enum state state;
    int fd, data_fd, file_fd, folder_fd;
    bool named, welcome, binary, connecting, skip, cr;
    struct way way;
    long long deadline;             /* ms */
    char user[LINE], cwd[PATH_MAX], in[LINE], out[3 * LINE];
    size_t in_len, out_len;
    char *part;                     /* of the file: from BEGIN to END is still to be sent */
    size_t begin, end;
    off_t left;
    char name[NAME_MAX + 1], temporary[40];
};

static struct session *sessions[MOST];
static int count, most;             /* of sessions */

static long long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void wait_for(struct session *s, enum state state, int seconds)
{
    s->state = state;
    s->deadline = now_ms() + seconds * 1000LL;
}

static void drop(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* -- The control connection ------------------------------------------------------------- */

static void flush_replies(struct session *s)
{
    ssize_t n = send(s->fd, s->out, s->out_len, MSG_DONTWAIT);

    if (n > 0) {
        s->out_len -= (size_t)n;
        memmove(s->out, s->out + n, s->out_len);
    }
    if (s->out_len == 0 && s->state == ENDING)
        shutdown(s->fd, SHUT_WR);
}

__attribute__((format(printf, 2, 3)))
static void say(struct session *s, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    int n = vsnprintf(s->out + s->out_len, sizeof s->out - s->out_len - 3, format, list);
    va_end(list);
    s->out_len += (size_t)n < sizeof s->out - s->out_len - 3 ? (size_t)n : 0;
    s->out_len += (size_t)sprintf(s->out + s->out_len, "\r\n");
    flush_replies(s);
}

/* -- Paths ------------------------------------------------------------------------------ */

static void change_folder(struct session *s, const char *path, int code)
{
    struct stat status;
    int fd = open_path(s->cwd, path, true, &status);
    char plain[PATH_MAX];

    if (fd >= 0 && S_ISDIR(status.st_mode) && make_plain(s->cwd, path, plain)) {
        strcpy(s->cwd, plain);
        say(s, "%d /%s", code, plain);
    } else
        say(s, "550 No folder.");
    drop(&fd);
}

/* -- The end of a transfer, or of a session ------------------------------------------------ */

static void forget_data(struct session *s)
{
    drop(&s->data_fd);
    forget_way(&s->way);
    s->connecting = false;
}

/* Removes what is not whole, and says REPLY. */
static void end_transfer(struct session *s, const char *reply)
{
    forget_data(s);
    if (s->state == RECEIVING && s->temporary[0])
        unlinkat(s->folder_fd, s->temporary, 0);
    drop(&s->file_fd);
    drop(&s->folder_fd);
    free(s->part);
    s->part = NULL;
    wait_for(s, COMMANDS, SILENCE);
    say(s, "%s", reply);
}

static void finish_receiving(struct session *s)
{
    if (s->cr && !put(s->file_fd, "\r", 1))
        end_transfer(s, "452 No room.");
    else if (renameat(s->folder_fd, s->temporary, s->folder_fd, s->name) < 0)
        end_transfer(s, "553 It cannot be put there.");
    else {
        s->temporary[0] = '\0';
        end_transfer(s, "226 Stored.");
    }
}

static void end_session(struct session *s)
{
    if (s->state == SENDING || s->state == RECEIVING)
        end_transfer(s, "426 No.");
    forget_data(s);
    close(s->fd);
    free(s);
    count--;
}

/* -- Bytes of a transfer --------------------------------------------------------------------- */

/* The next part of the file; false at its end. */
static bool refill(struct session *s)
{
    static char raw[PART / 2];
    ssize_t n = s->file_fd < 0 ? 0 : read(s->file_fd, raw, sizeof raw);

    if (n <= 0)
        return false;
    s->begin = 0;
    s->end = s->binary ? (size_t)n : to_wire(raw, (size_t)n, s->part);
    if (s->binary)
        memcpy(s->part, raw, (size_t)n);
    s->left -= n;
    return true;
}

static void send_some(struct session *s)
{
    if (s->begin == s->end && !refill(s)) {
        end_transfer(s, s->left > 0 ? "451 The file was cut." : "226 Sent.");
        return;
    }
    ssize_t n = send(s->data_fd, s->part + s->begin, s->end - s->begin, MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN)
        end_transfer(s, "426 Broken off.");
    else if (n > 0) {
        s->begin += (size_t)n;
        wait_for(s, SENDING, STANDSTILL);
    }
}

static void receive_some(struct session *s)
{
    static char raw[PART / 2];
    ssize_t n = recv(s->data_fd, raw, sizeof raw, MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        if (n < 0)
            end_transfer(s, "426 Broken off.");
        else
            finish_receiving(s);
        return;
    }
    size_t len = s->binary ? (size_t)n : from_wire(raw, (size_t)n, s->part, &s->cr);
    wait_for(s, RECEIVING, STANDSTILL);
    if (!put(s->file_fd, s->binary ? raw : s->part, len))
        end_transfer(s, "452 No room.");
}

/* The data connection has been made, or something has come to the listening socket. */
static void take_data(struct session *s)
{
    int error = 0, fd;
    socklen_t len = sizeof error;

    if (s->connecting) {
        s->connecting = false;
        if (getsockopt(s->data_fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error != 0)
            end_transfer(s, "425 You are not there.");
        return;
    }
    if ((fd = accept4(s->way.listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) < 0)
        return;
    union place from = place_of(fd, getpeername);
    if (is_same_host(&from, &s->way.peer)) {
        s->data_fd = fd;
        forget_way(&s->way);
    } else
        close(fd);
}

/* 150, and the way to the data connection; what is moved is in S already. */
static void begin(struct session *s, enum state state)
{
    s->begin = 0;
    s->cr = false;
    wait_for(s, state, PATIENCE);
    say(s, "150 Here we go.");
    if (!s->way.active)
        return;
    s->data_fd = socket(s->way.to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    s->connecting = true;
    if (s->data_fd < 0 || (connect(s->data_fd, &s->way.to.any, place_len(&s->way.to)) < 0
                           && errno != EINPROGRESS))
        end_transfer(s, "425 You are not there.");
}

static bool can_begin(struct session *s)
{
    if (s->data_fd >= 0 || has_way(&s->way))
        return true;
    say(s, "425 Say PASV first.");
    return false;
}

/* -- Commands ----------------------------------------------------------------------------- */

static void retr(struct session *s, const char *path)
{
    struct stat status;
    int fd = open_path(s->cwd, path, false, &status);

    if (fd < 0)
        say(s, "550 No file.");
    else if (!can_begin(s) || (s->part = malloc(PART)) == NULL)
        close(fd);
    else {
        s->file_fd = fd;
        s->left = status.st_size;
        s->end = 0;
        begin(s, SENDING);
    }
}

static void stor(struct session *s, const char *path)
{
    static unsigned count;
    char plain[PATH_MAX];
    const char *name = "";
    int parent = account && make_plain(s->cwd, path, plain) ? open_parent(plain, &name) : -1;

    if (parent < 0 || path[strlen(path) - 1] == '/' || !is_free(parent, name))
        say(s, "550 That cannot be written.");
    else if (can_begin(s) && (s->part = malloc(PART)) != NULL) {
        snprintf(s->temporary, sizeof s->temporary, ".%ld-%u", (long)getpid(), count++);
        strcpy(s->name, name);
        s->file_fd = openat(parent, s->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (s->file_fd >= 0) {
            s->folder_fd = parent;
            begin(s, RECEIVING);
            return;
        }
        free(s->part);
        s->part = NULL;
        say(s, "550 It cannot be written there.");
    }
    drop(&parent);
}

static void list(struct session *s, const char *path, bool full)
{
    struct stat status;
    char prefix[LINE];

    while (*path == '-')        /* options of ls */
        path += strcspn(path, " ") + strspn(path + strcspn(path, " "), " ");
    int fd = open_path(s->cwd, path, true, &status);
    if (fd < 0)
        say(s, "450 No such thing.");
    else if (!can_begin(s))
        close(fd);
    else {
        FILE *list = open_memstream(&s->part, &s->end);
        snprintf(prefix, sizeof prefix, "%s%s", full ? "" : path, full || *path == '\0' ? "" : "/");
        if (S_ISDIR(status.st_mode))
            print_entries(list, fd, prefix, full, full);
        else {
            print_entry(list, path, &status, full);
            close(fd);
        }
        fclose(list);
        s->left = 0;
        begin(s, SENDING);
    }
}

static void log_in(struct session *s, const char *verb, const char *argument)
{
    if (is(verb, "USER", "USER")) {
        s->welcome = false;
        s->named = true;
        strcpy(s->user, argument);
        say(s, "331 Your password?");
    } else if (!s->named)
        say(s, "503 USER comes first.");
    else {
        s->named = false;
        s->welcome = is_user(s->user) && is_password(argument);
        say(s, s->welcome ? "230-You are in.\r\n 230 of many lines\r\n230 Go on." : "530 No.");
    }
}

static void size(struct session *s, const char *path)
{
    struct stat status;
    int fd = open_path(s->cwd, path, false, &status);

    if (fd < 0 || !s->binary)
        say(s, fd < 0 ? "550 No file." : "550 SIZE is for type I.");
    else
        say(s, "213 %lld", (long long)status.st_size);
    drop(&fd);
}

/* What only users may say. */
static void obey_user(struct session *s, const char *verb, char *argument)
{
    char text[2 * PATH_MAX + 4], path[PATH_MAX + 1];
    int code;

    if (is(verb, "PASV", "EPSV")) {
        drop(&s->data_fd);
        code = be_passive(&s->way, *verb == 'E', argument, text);
        say(s, "%d %s.", code, text);
    } else if (is(verb, "PORT", "EPRT")) {
        drop(&s->data_fd);
        say(s, "%d PORT; EPRT (1,2).", be_active(&s->way, *verb == 'E', argument));
    } else if (is(verb, "PWD", "PWD")) {
        snprintf(path, sizeof path, "/%s", s->cwd);
        say(s, "257 %s is where you are.", quote(path, text));
    } else if (is(verb, "CDUP", "CDUP"))
        change_folder(s, "..", 200);
    else if (is(verb, "NLST", "LIST"))
        list(s, argument, *verb == 'L');
    else if (is(verb, "TYPE", "MODE") || is(verb, "STRU", "STRU"))
        say(s, "%d It is a matter of form.", set_mode(verb, argument, &s->binary));
    else if (*argument == '\0' && (is(verb, "CWD", "SIZE") || is(verb, "RETR", "STOR")))
        say(s, "501 A path is missing.");
    else if (is(verb, "CWD", "CWD"))
        change_folder(s, argument, 250);
    else if (is(verb, "SIZE", "SIZE"))
        size(s, argument);
    else if (is(verb, "RETR", "RETR"))
        retr(s, argument);
    else if (is(verb, "STOR", "STOR"))
        stor(s, argument);
    else
        say(s, "502 I do not know that.");
}

static void obey(struct session *s, char *line)
{
    char verb[5], *argument = split(line, verb);

    if (is(verb, "USER", "PASS"))
        log_in(s, verb, argument);
    else if (is(verb, "QUIT", "QUIT")) {
        wait_for(s, ENDING, 5);
        say(s, "221-It was\r\n221-a pleasure.\r\n221 Goodbye.");
    } else if (is(verb, "NOOP", "NOOP"))
        say(s, "200 Still here.");
    else if (is(verb, "SYST", "SYST"))
        say(s, "215 UNIX");
    else if (is(verb, "HELP", "HELP"))
        say(s, "214-See\r\n RFC 959.\r\n214 That is all.");
    else if (!s->welcome)
        say(s, "530 Who is it?");
    else
        obey_user(s, verb, argument);
}

/* Takes Telnet's commands (RFC 854) out of LINE; false: what is left is no text. */
static bool make_text(char *line, size_t len)
{
    char *to = line;

    for (size_t i = 0; i < len; i++) {
        bool command = line[i] == '\xff' && i + 1 < len;
        unsigned char which = command ? (unsigned char)line[++i] : 0;
        if (command && which < 255)
            i += which > 250;           /* WILL, WONT, DO, DONT have an option behind them */
        else
            *to++ = line[i];
    }
    *to = '\0';
    if (to > line && to[-1] == '\r')
        *--to = '\0';
    return strlen(line) == (size_t)(to - line);
}

/* Obeys the lines that are there, until one of them begins a transfer. */
static void obey_lines(struct session *s)
{
    char line[LINE], *end;

    while (s->state == COMMANDS && s->out_len == 0
           && ((end = memchr(s->in, '\n', s->in_len)) != NULL || s->in_len == LINE)) {
        size_t len = end ? (size_t)(end - s->in) : LINE, used = end ? len + 1 : LINE;
        bool skipped = s->skip || end == NULL;
        memcpy(line, s->in, end ? len : 0);
        s->in_len -= used;
        memmove(s->in, s->in + used, s->in_len);
        wait_for(s, COMMANDS, SILENCE);
        if (skipped) {
            if (!s->skip)
                say(s, "500 Too long a line.");
            s->skip = end == NULL;
        } else if (make_text(line, len))
            obey(s, line);
        else
            say(s, "501 That is no text.");
    }
}

/* Reads what there is; false at the end of the session. */
static bool read_commands(struct session *s)
{
    char unread[LINE];
    char *to = s->state == ENDING ? unread : s->in + s->in_len;
    ssize_t n = recv(s->fd, to, s->state == ENDING ? LINE : LINE - s->in_len, MSG_DONTWAIT);

    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    if (s->state != ENDING)
        s->in_len += (size_t)n;
    return true;
}

/* -- The loop -------------------------------------------------------------------------------- */

static void welcome(int listen_fd)
{
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), place = 0;
    struct session *s = fd < 0 ? NULL : calloc(1, sizeof *s);

    if (s == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    while (sessions[place] != NULL)
        place++;
    sessions[place] = s;
    count++;
    s->fd = fd;
    s->data_fd = s->file_fd = s->folder_fd = -1;
    s->way = way_of(fd);
    set_up(fd);
    wait_for(s, COMMANDS, SILENCE);
    say(s, "220-Hello, this is\r\n220-a server of one thread.\r\n 220 of it.\r\n220 Log in!");
}

static void too_late(struct session *s)
{
    if (s->state == COMMANDS) {
        wait_for(s, ENDING, 5);
        say(s, "421 You are silent.");
    } else if (s->state != ENDING)
        end_transfer(s, s->data_fd < 0 || s->connecting ? "425 Nobody came." : "426 Too slow.");
    else
        s->deadline = -1;
}

/* What S waits for: its control connection, and its data connection or who may make it. */
static void prepare(const struct session *s, struct pollfd wait[2])
{
    bool moving = s->state == SENDING || s->state == RECEIVING;
    bool reads = !moving && s->in_len < LINE && (s->out_len == 0 || s->state == ENDING);

    wait[0] = (struct pollfd){ .fd = s->fd, .events = reads ? POLLIN : 0 };
    if (s->out_len > 0)
        wait[0].events |= POLLOUT;
    wait[1] = (struct pollfd){ .fd = s->data_fd < 0 ? s->way.listen_fd : moving ? s->data_fd : -1 };
    wait[1].events = s->connecting || (s->data_fd >= 0 && s->state == SENDING) ? POLLOUT : POLLIN;
}

/* Does what can be done now; false at the end of the session. */
static bool go_on(struct session *s, const struct pollfd wait[2])
{
    if (wait[0].revents & POLLOUT)
        flush_replies(s);
    if (wait[0].revents & (POLLERR | POLLHUP) && wait[0].events != POLLIN)
        return s->state == ENDING && recv(s->fd, &(char){ 0 }, 1, MSG_DONTWAIT) > 0;
    if (wait[0].revents & (POLLIN | POLLHUP | POLLERR) && !read_commands(s))
        return false;
    if (wait[1].revents && (s->connecting || s->data_fd < 0))
        take_data(s);
    else if (wait[1].revents && s->state == SENDING)
        send_some(s);
    else if (wait[1].revents && s->state == RECEIVING)
        receive_some(s);
    obey_lines(s);
    if (s->deadline <= now_ms())
        too_late(s);
    return s->deadline >= 0;
}

/* Milliseconds until the first deadline. */
static int time_left(void)
{
    long long first = -1;

    for (int i = 0; i < most; i++)
        if (sessions[i] != NULL && (first < 0 || sessions[i]->deadline < first))
            first = sessions[i]->deadline;
    return first < 0 ? -1 : first <= now_ms() ? 0 : (int)(first - now_ms()) + 1;
}

/* How many sessions there can be, of four descriptors each. */
static int most_sessions(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        fail("getrlimit");
    return limit.rlim_cur / 4 - 2 < MOST ? (int)limit.rlim_cur / 4 - 2 : MOST;
}

int main(int argc, char *argv[])
{
    static struct pollfd wait[2 * MOST + 2];
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    int listen_fd = open_server(argc, argv), signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
    fcntl(listen_fd, F_SETFL, O_NONBLOCK);
    most = most_sessions();
    for (;;) {
        wait[2 * most] = (struct pollfd){ .fd = count == most ? -1 : listen_fd, .events = POLLIN };
        wait[2 * most + 1] = (struct pollfd){ .fd = signal_fd, .events = POLLIN };
        for (int i = 0; i < most; i++) {
            wait[2 * i].fd = wait[2 * i + 1].fd = -1;
            if (sessions[i] != NULL)
                prepare(sessions[i], wait + 2 * i);
        }
        if (poll(wait, 2 * most + 2, time_left()) < 0)
            continue;
        for (int i = 0; i < most; i++)
            if (sessions[i] != NULL
                && (wait[2 * most + 1].revents || !go_on(sessions[i], wait + 2 * i))) {
                end_session(sessions[i]);
                sessions[i] = NULL;
            }
        if (wait[2 * most + 1].revents)
            return 0;
        if (wait[2 * most].revents)
            welcome(listen_fd);
    }
}
