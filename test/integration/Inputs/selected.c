/* Says which code the runtime chooses, before main. */
#include "gated_delta_rule_chunked.h"
#include <stdio.h>

__attribute__((constructor)) static void print_selected(void) {
  const mixwright_kernel *selected;
  if (mixwright_select(&mixwright_kernel_gated_delta_rule_chunked, &selected) == MIXWRIGHT_OK)
    printf("running code for %s\n", selected->target);
}
