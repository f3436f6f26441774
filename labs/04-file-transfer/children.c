/* children - see children.h. */
#include "children.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "files.h"
#include "net.h"

/* By place. 0 is a free one. The handlers change it: look at it, or change
 * it, while their signals are blocked. */
static volatile pid_t children[MOST_CHILDREN];

/* And whom each of them serves. */
static struct sockaddr_storage clients[MOST_CHILDREN];

static sigset_t signals;                /* those that we handle */

static int place_of(pid_t child)
{
    int place = 0;

    while (place < MOST_CHILDREN && children[place] != child)
        place++;
    return place;
}

static int count_of(const struct sockaddr_storage *client)
{
    int count = 0;

    for (int i = 0; i < MOST_CHILDREN; i++)
        count += children[i] != 0 && is_same_host(&clients[i], client);
    return count;
}

/* A child has ended, perhaps more than one since the last SIGCHLD: asks each
 * how, else they stay in the process table, see wait(2). */
static void reap(int signal_number)
{
    int why = errno;
    pid_t child;

    (void)signal_number;
    while ((child = waitpid(-1, NULL, WNOHANG)) > 0) {
        int place = place_of(child);
        if (place < MOST_CHILDREN)
            children[place] = 0;
    }
    errno = why;                        /* we may have been in some call */
}

/* Ends all children, and then us: when we are gone, all is cleaned up. */
static void stop(int signal_number)
{
    (void)signal_number;
    for (int i = 0; i < MOST_CHILDREN; i++)
        if (children[i] != 0) {
            kill(children[i], SIGTERM);
            kill(children[i], SIGCONT);     /* one may be stopped */
        }
    while (wait(NULL) > 0)
        ;
    _exit(0);
}

void watch_children(void)
{
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);

    struct sigaction action = { .sa_handler = stop, .sa_mask = signals };
    if (sigaction(SIGINT, &action, NULL) < 0
        || sigaction(SIGTERM, &action, NULL) < 0)
        die("sigaction");
    action.sa_handler = reap;
    if (sigaction(SIGCHLD, &action, NULL) < 0)
        die("sigaction");
}

/* The child ends with the parent, however that ends; and when it is told to,
 * without leaving half a file. */
static void begin_child(pid_t parent)
{
    clean_up_on_signals(0);
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
        die("prctl");
    if (getppid() != parent)            /* it has ended already */
        _exit(0);
}

pid_t fork_child(const struct sockaddr_storage *client, int *place)
{
    pid_t parent = getpid(), child = -1;
    sigset_t before;

    sigprocmask(SIG_BLOCK, &signals, &before);
    *place = place_of(0);
    errno = EUSERS;
    if (*place < MOST_CHILDREN && count_of(client) < MOST_OF_A_HOST)
        child = fork();
    if (child == 0)
        begin_child(parent);
    if (child > 0) {
        children[*place] = child;
        clients[*place] = *client;
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return child;
}

bool is_running(int place)
{
    return children[place] != 0;
}
