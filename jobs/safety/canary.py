"""The canary: a few references of a job are cancelled and read back before the rest is called.

They are drawn from all over the input, so that each file of some length has its share. Each of them is read back, also
where the platform confirms that it is cancelled. Once all of them have results, the job goes on by itself, unless

- one of them is `unconfirmed` or `failed`: the platform says one thing and shows another, or nothing;
- more of them are refused than the job's limits of refused references allow; a number counts as that share of the whole
  job. Without a limit none may be;
- none of them was cancelled by this job: then it shows nothing of the rest.

Then the job halts, and somebody looks and continues or aborts it. The ledger draws and judges
(lua/shared/canary.lua), so no way in passes it by.
"""

from typing import Final

USUAL_ABOVE: Final = 1000
"""Jobs with more references than this have their account's canary, unless the settings say otherwise."""
