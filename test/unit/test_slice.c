/* SPDX-License-Identifier: Apache-2.0 */
#include "suite.h"

#include <linux/sched.h>
#define sched_param kernel_sched_param /* the C library has one, too */
#include <linux/sched/types.h>
#undef sched_param
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/slice.h"

static struct sched_attr mine(void)
{
    struct sched_attr attr = {0};

    ck_assert_int_eq(syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0), 0);
    return attr;
}

START_TEST(a_thread_with_short_turns_says_so_where_the_kernel_listens)
{
    struct sched_attr before = mine(), after;

    slice_shorten();
    after = mine();
    ck_assert(after.sched_flags & SCHED_FLAG_RESET_ON_FORK);
    if (before.sched_runtime) /* a kernel that has no slices reports none */
        ck_assert_uint_lt(after.sched_runtime, before.sched_runtime);
}
END_TEST

static void *look(void *user)
{
    *(struct sched_attr *) user = mine();
    return NULL;
}

START_TEST(what_it_starts_is_not_so)
{
    struct sched_attr before = mine(), child;
    pthread_t thread;

    slice_shorten();
    ck_assert_int_eq(pthread_create(&thread, NULL, look, &child), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert(!(child.sched_flags & SCHED_FLAG_RESET_ON_FORK));
    ck_assert_uint_eq(child.sched_runtime, before.sched_runtime);
}
END_TEST

START_TEST(its_share_of_the_processor_stays)
{
    ck_assert_int_eq(setpriority(PRIO_PROCESS, 0, 7), 0);
    slice_shorten();
    ck_assert_int_eq(mine().sched_nice, 7);
    ck_assert_uint_eq(mine().sched_policy, SCHED_NORMAL);
}
END_TEST

int main(void)
{
    return suite_run("slice",
                     (const TTest *[]){a_thread_with_short_turns_says_so_where_the_kernel_listens,
                                       what_it_starts_is_not_so, its_share_of_the_processor_stays,
                                       NULL});
}
