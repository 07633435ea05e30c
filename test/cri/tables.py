# SPDX-License-Identifier: Apache-2.0
"""What cleave does not do, by case (module::function). runc passes every one of them."""

# Skipped for cleave: the feature is not there yet.
PENDING = {
}

# Expected to fail for cleave, and an error if it does not: a defect with a name.
KNOWN = {
}
