// All kernels, by name.
#pragma once

#include "bounds.hpp"
#include "curve_events.hpp"
#include "curve_letters.hpp"
#include "curve_rows.hpp"
#include "events.hpp"
#include "kernel.hpp"
#include "letters.hpp"
#include "rows.hpp"
#include "signs.hpp"
#include "slopes.hpp"
#include "vertices.hpp"

#define PYEXPR_FOR_EACH_KERNEL(use)                                                                \
    use(margins) use(find_signs) use(pack_signs) use(mark_unsure) use(find_letters)                \
        use(cut_letters) use(count_changes) use(locate) use(mark_close) use(count_event)           \
            use(merge) use(find_outputs) use(find_outputs_extended) use(add_squares)               \
                use(bound_norm) use(add_bias) use(multiply_sparse) use(unfold) use(begin_extended) \
                    use(multiply_dense_extended) use(multiply_sparse_extended)                     \
                        use(convolve_extended) use(normalise) use(bound_product) use(bound_rows)   \
                            use(pass_on) use(compare_slopes) use(count_bend)                       \
                                use(count_differences) use(scale_by_slopes) use(cell_margins)      \
                                    use(cell_signs) use(list_candidates) use(add_letters)          \
                                        use(isolate) use(displace_ends) use(cut_weights)           \
                                            use(restrict_outputs) use(pass_on_curve)               \
                                                use(bound_curve_product) use(add_bias_times)       \
                                                    use(bound_speed)
