"""Pages and pictures as text: every text is escaped where it is put in. Floor: below the doors, above the plane.

Doors: `tags.py: tag`, `page.py: whole_page`, `chart.py`. Nothing here fetches, runs or knows what it shows.
"""
