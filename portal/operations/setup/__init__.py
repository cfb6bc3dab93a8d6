"""Set-up records: what an administrator keeps in lists (slots, machines, sites …), declared once.

A module says in its services what holds for the records of a model, and in its views how they are
shown; list, adding, changing, ending, history and the audit trail follow::

    SLOTS = SetupRules(Slot, "shop.manage_setup", doubts=slot_doubts, uses=(Use(…),))   # services
    SLOT_PAGE = SetupPage("slots", SLOTS, form=SlotForm, columns=(Column(…),), …)       # views
    urlpatterns = setup_urls(SLOT_PAGE)                                                 # urls

The model states in its ``access`` policy how far the privilege reaches; the module declares the
live topic ``<app>/setup/<model>`` of each list.
"""
