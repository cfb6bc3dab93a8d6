import time
import pytest
pytestmark = [pytest.mark.browser, pytest.mark.processes]
def test_try(stack, arrive):
    t=time.time()
    v = arrive("Anders Toftegaard")
    print(time.time()-t, v.page.title())
    print(v.accessibility_faults())
    v.look("home")
